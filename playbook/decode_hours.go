package playbook

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/belay-dr/belay/internal/calendar"
)

// hours reads a weekly calendar.
func (d *decoder) hours(n *yaml.Node, at place, v *Hours) bool {
	value, ok := d.text(n, at)
	if !ok {
		return false
	}
	parsed, err := calendar.Parse(value)
	if err != nil {
		message, hint := hoursMistake(value, err)
		return d.wrong(n, at, message, hint)
	}
	*v = parsed
	return true
}

// hoursMistake splits a mistake in hours into what is wrong and what to write instead.
func hoursMistake(value string, err error) (message, hint string) {
	message, hint, _ = strings.Cut(err.Error(), "; ")
	if words := strings.Fields(value); len(words) > 0 && strings.Contains(message, "time zone") {
		if zone := nearest(words[len(words)-1], commonZones()); zone != "" {
			hint = fmt.Sprintf("did you mean %q?", zone)
		} else {
			hint = "write an IANA name such as Europe/Berlin"
		}
	}
	return message, hint
}

// commonZones are the time zones that are suggested for a misspelled one.
func commonZones() []string {
	return strings.Fields(`UTC Africa/Cairo Africa/Johannesburg Africa/Lagos Africa/Nairobi America/Anchorage America/Argentina/Buenos_Aires
		America/Bogota America/Chicago America/Denver America/Halifax America/Los_Angeles America/Mexico_City America/New_York America/Phoenix
		America/Sao_Paulo America/Toronto America/Vancouver Asia/Bangkok Asia/Dubai Asia/Hong_Kong Asia/Jakarta Asia/Karachi Asia/Kolkata
		Asia/Manila Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Taipei Asia/Tokyo Australia/Brisbane Australia/Melbourne Australia/Perth
		Australia/Sydney Europe/Amsterdam Europe/Berlin Europe/Dublin Europe/Istanbul Europe/Kyiv Europe/Lisbon Europe/London Europe/Madrid
		Europe/Moscow Europe/Paris Europe/Rome Europe/Stockholm Europe/Vienna Europe/Warsaw Europe/Zurich Pacific/Auckland Pacific/Honolulu`)
}

// period is the long form of a criticality.
type period struct {
	Period string `yaml:"period"`
	Days   string `yaml:"days,omitempty"`
	Zone   string `yaml:"zone,omitempty"`
}

// criticality reads always, never, unknown or a period.
func (d *decoder) criticality(n *yaml.Node, at place, v *Criticality) bool {
	if n.Kind != yaml.MappingNode {
		value, ok := d.text(n, at)
		if !ok {
			return false
		}
		words := texts(Always, Never, Unknown)
		for _, w := range words {
			if w == value {
				v.Level = CriticalityLevel(w)
				return true
			}
		}
		hint := nearest(value, words)
		if hint == "" {
			return d.wrong(n, at, fmt.Sprintf("unknown criticality %q", short(value)), "always, never, unknown, or {period: \"02:00-03:00\", days: daily, zone: Europe/Berlin}")
		}
		return d.wrong(n, at, fmt.Sprintf("unknown criticality %q", short(value)), fmt.Sprintf("did you mean %q?", hint))
	}
	var p period
	if !d.decode(n, at, fieldOf(&p)) {
		return false
	}
	if p.Days == "" {
		p.Days = "daily"
	}
	for _, probe := range []struct{ key, text string }{
		{"zone", "daily 00:00-01:00 " + p.Zone},
		{"days", p.Days + " 00:00-01:00"},
		{"period", "daily " + p.Period},
	} {
		if _, err := calendar.Parse(strings.TrimSpace(probe.text)); err != nil {
			message, hint := hoursMistake(probe.text, err)
			switch probe.key {
			case "period":
				hint = `write for example "02:00-03:00"`
			case "days":
				hint = "write for example daily, Mon-Fri or Sat,Sun"
			}
			d.fail(d.positions[join(at.path, probe.key)], join(at.path, probe.key), message, hint)
			return false
		}
	}
	parsed, err := calendar.Parse(strings.TrimSpace(p.Days + " " + p.Period + " " + p.Zone))
	if err != nil {
		return d.wrong(n, at, err.Error(), "")
	}
	v.Level, v.Period = During, &parsed
	return true
}
