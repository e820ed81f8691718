package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/roster"
)

// dash stands for what is not stated, so that an empty cell is never a question.
func dash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "—"
	}
	return s
}

func duration(d playbook.Duration) string {
	if d == 0 {
		return "—"
	}
	return d.String()
}

func criticality(c playbook.Criticality) string {
	switch {
	case c.Level == playbook.During && c.Period != nil:
		return c.Period.String()
	case c.Level == playbook.Always:
		return "Always"
	case c.Level == playbook.Never:
		return "Not critical"
	case c.Level == playbook.Unknown:
		return "Unknown"
	}
	return dash(string(c.Level))
}

func availability(p playbook.Person) string {
	switch {
	case p.Rotation != nil:
		return "Rotation " + p.Rotation.ICal
	case p.Available == nil:
		return "—"
	case p.Available.OnCall:
		return "On call"
	}
	return p.Available.String()
}

func roles(rs []playbook.Role) string {
	words := make([]string, len(rs))
	for i, r := range rs {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

func pairs(t playbook.Table[string]) string {
	words := make([]string, len(t))
	for i, row := range t {
		words[i] = row.ID + ": " + row.Value
	}
	return strings.Join(words, "; ")
}

// phone is a number that a telephone can dial.
func phone(number string) cell {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, number)
	if digits == "" {
		return cell{Text: dash(number)}
	}
	return cell{Text: number, Link: "tel:" + digits}
}

func email(address string) cell {
	if address == "" || strings.ContainsAny(address, " <>\"'\n()[]") {
		return cell{Text: dash(address)}
	}
	return cell{Text: address, Link: "mailto:" + address}
}

func (b *builder) serviceNames(ids []string) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = roster.ServiceName(b.pb, id)
	}
	return strings.Join(words, ", ")
}

func (b *builder) specTable(t playbook.Table[playbook.Spec]) string {
	words := make([]string, len(t))
	for i := range t {
		words[i] = t[i].ID + ": " + b.specWords(&t[i].Value)
	}
	return strings.Join(words, "; ")
}

// specWords says what a spec is, whose type belongs to another room: its own words if it has any, else its fields that are set.
func (b *builder) specWords(s *playbook.Spec) string {
	if s == nil {
		return ""
	}
	if own, ok := s.Config.(fmt.Stringer); ok {
		return b.text(s.Kind + " " + own.String())
	}
	encoded, err := json.Marshal(s.Config)
	if err != nil {
		return s.Kind
	}
	words := Words(s.Kind, encoded)
	if s.Where != "" {
		words += ", on " + s.Where
	}
	return sayOnce(b.text(words))
}

// Words says what a check or another spec is, whose configuration is JSON, in words for a person: "http://…, expecting
// status 200". Without JSON it is the kind alone.
func Words(kind string, config json.RawMessage) string {
	var value any
	if json.Unmarshal(config, &value) != nil {
		return kind
	}
	var words []string
	flatten("", value, &words)
	return sayOnce(strings.TrimSpace(kind + " " + strings.Join(words, ", ")))
}

// sayOnce leaves the kind out where the URL says it already.
func sayOnce(said string) string {
	if url, ok := strings.CutPrefix(said, "http http"); ok {
		return "http" + url
	}
	return said
}

// flatten writes a decoded JSON value as "key value" words, leaving out what is empty.
func flatten(key string, value any, words *[]string) {
	label := func(s string) string { return strings.TrimSpace(key + " " + s) }
	switch v := value.(type) {
	case nil:
	case string:
		if v != "" {
			*words = append(*words, label(v))
		}
	case bool:
		if v {
			*words = append(*words, key)
		}
	case float64:
		if v != 0 {
			*words = append(*words, label(strings.TrimSuffix(fmt.Sprintf("%.6f", v), ".000000")))
		}
	case []any:
		var inner []string
		for _, e := range v {
			flatten("", e, &inner)
		}
		if len(inner) > 0 {
			*words = append(*words, label(strings.Join(inner, " ")))
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b string) int {
			// What is looked at comes before what is expected of it.
			return strings.Compare(orderOf(a), orderOf(b))
		})
		for _, k := range keys {
			name := strings.ToLower(k[:min(1, len(k))]) + k[min(1, len(k)):]
			switch name {
			case "url", "address", "run", "argv", "name", "path", "paths":
				name = ""
			case "expect": // it comes last, and so stands for all that follows it
				var expected []string
				if flatten("", v[k], &expected); len(expected) > 0 {
					*words = append(*words, label("expecting "+strings.Join(expected, ", ")))
				}
				continue
			}
			flatten(strings.TrimSpace(key+" "+name), v[k], words)
		}
	}
}

func orderOf(key string) string {
	switch strings.ToLower(key) {
	case "url", "address", "name", "run", "argv", "path", "paths", "method":
		return "0" + key
	case "status":
		return "1" // Before everything else that is expected.
	case "expect", "equals":
		return "2" + key
	}
	return "1" + key
}
