package start

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at the change and run go test ./playbook/start -update", path)
	}
}

// joined writes files one after the other, with their paths.
func joined(files []File) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString("-- " + f.Path + " --\n" + f.Text)
	}
	return b.String()
}

func web() Answers {
	return Answers{
		Application: "shop", Team: "shop", Person: Person{Name: "Alice Liddell", Email: "alice@example.com"},
		Services: []Service{{ID: "web", URL: "http://127.0.0.1:8080/health", Restart: "systemctl --user start shop", PIDFile: "/run/shop.pid"}},
	}
}

func TestFiles(t *testing.T) {
	byCommand := web()
	byCommand.Services[0].PIDFile, byCommand.Services[0].Stop = "", "systemctl --user stop shop"
	byHand := Answers{Application: "queue", Person: Person{Name: "Bob"}, Services: []Service{{ID: "broker", Address: "127.0.0.1:5672"}, {ID: "worker", Unknown: true, Needs: []string{"broker"}}}}
	for name, a := range map[string]Answers{"web": web(), "command": byCommand, "by-hand": byHand} {
		files, err := Files(a)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", name+".txt"), joined(files))
	}
}

func TestScenariosHaveNamesOfTheirOwn(t *testing.T) {
	a := web()
	for _, id := range []string{"Web", "web_", "DB_main"} {
		a.Services = append(a.Services, Service{ID: id, Address: "127.0.0.1:1"})
	}
	files, err := Files(a)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path)
	}
	want := []string{"belay.yaml", "scenarios/web-failure.yaml", "scenarios/web-failure-2.yaml", "scenarios/web-failure-3.yaml", "scenarios/db-main-failure.yaml"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestFilesNamesWhatIsMissing(t *testing.T) {
	tests := []struct {
		change func(*Answers)
		want   string
	}{
		{func(a *Answers) { a.Application = "" }, "the application has no name"},
		{func(a *Answers) { a.Application = "a b" }, `the application cannot be called "a b": use at most 48 letters, digits, - and _`},
		{func(a *Answers) { a.Person.Name = "  " }, "nobody answers for the application: name a person"},
		{func(a *Answers) { a.Services = nil }, "the application has no service"},
		{func(a *Answers) { a.Services[0].URL = "localhost:80" }, `the URL of web must begin with http:// or https://, got "localhost:80"`},
		{func(a *Answers) { a.Services[0].Needs = []string{"db"} }, `web needs "db", which is no service`},
		{func(a *Answers) { a.Services = append(a.Services, a.Services[0]) }, `the service "web" is there twice`},
		{func(a *Answers) { a.Services[0].Stop, a.Services[0].Restart = "stop", "" }, "web can be stopped and not started again: give its restart command"},
	}
	for _, tt := range tests {
		a := web()
		tt.change(&a)
		if files, err := Files(a); err == nil || err.Error() != tt.want || files != nil {
			t.Errorf("got %d files and %v, want %s", len(files), err, tt.want)
		}
	}
}

func TestParsePerson(t *testing.T) {
	for text, want := range map[string]Person{
		"Alice":                        {Name: "Alice"},
		"Alice L <alice@example.com>":  {Name: "Alice L", Email: "alice@example.com"},
		" Bob  < bob@example.com > \n": {Name: "Bob", Email: "bob@example.com"},
	} {
		if got := ParsePerson(text); got != want {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
}

func TestComposeGolden(t *testing.T) {
	env := map[string]string{"TAG": "16"}
	text, err := os.ReadFile("testdata/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	services, notes, err := Compose(text, func(n string) (string, bool) { v, ok := env[n]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(Answers{Application: "shop", Person: Person{Name: "Alice", Phone: "555"}, Services: services})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/compose.txt", strings.Join(notes, "\n")+"\n"+joined(files))
}

func TestComposePorts(t *testing.T) {
	for yaml, want := range map[string]string{
		`["8080:80"]`:                     "http://127.0.0.1:8080/",
		`["127.0.0.1:8080:80"]`:           "http://127.0.0.1:8080/",
		`["0.0.0.0:8080:80/tcp"]`:         "http://127.0.0.1:8080/",
		`["[::1]:8080:80"]`:               "http://[::1]:8080/",
		`["8443:443"]`:                    "https://127.0.0.1:8443/",
		`["5432:5432"]`:                   "127.0.0.1:5432",
		`["9090-9091:8080-8081"]`:         "http://127.0.0.1:9090/",
		`[{target: 80, published: 8080}]`: "http://127.0.0.1:8080/",
		`[{target: 80, published: "8080", host_ip: 10.0.0.1, protocol: tcp}]`: "http://10.0.0.1:8080/",
		`["53:53/udp", "5353:5353"]`:                                          "127.0.0.1:5353",
		`["${PORT:-81}:80"]`:                                                  "http://127.0.0.1:81/",
		`["80"]`:                                                              "note: web: the port 80 gets another number on each start; publish it under a fixed one to probe it",
		`[80]`:                                                                "note: web: the port 80 gets another number on each start; publish it under a fixed one to probe it",
		`["x:80"]`:                                                            `note: web: the port "x:80" is not understood`,
		`["70000:80"]`:                                                        `note: web: the port "70000:80" is not understood`,
	} {
		services, notes, err := Compose([]byte("services: {web: {image: x, ports: "+yaml+"}}"), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		got := services[0].URL + services[0].Address
		if got == "" {
			got = "note: " + notes[0]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", yaml, got, want)
		}
	}
}

func TestInterpolate(t *testing.T) {
	env := map[string]string{"A": "a", "EMPTY": ""}
	for text, want := range map[string]string{
		"$A ${A} $$A $1":                     "a a $A $1",
		"${B:-x} ${B-y} ${EMPTY:-x}":         "x y x",
		"${EMPTY-x}|${A:+set}|${B+set}":      "|set|",
		"${B:-${A}} ${B:-${C-deep}} ${A:?m}": "a deep a",
		"${unclosed":                         "${unclosed",
		"$":                                  "$",
	} {
		c := &composeFile{lookup: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}
		if got := c.interpolate(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	c := &composeFile{lookup: func(string) (string, bool) { return "", false }}
	c.interpolate("$MISSING ${MISSING}")
	if want := []string{"the variable MISSING is not set, it is taken as empty"}; !reflect.DeepEqual(c.notes, want) {
		t.Errorf("notes %q, want %q", c.notes, want)
	}
}

func TestComposeMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "it is empty",
		"- a":                          "it is not a mapping",
		"version: '3'":                 "it names no services",
		"services: {}":                 "it names no services",
		"services: {'a b': {}}":        "it names no service that can be used",
		strings.Repeat("#", largest+1): "it is larger than 1 MiB",
	} {
		if _, _, err := Compose([]byte(text), func(string) (string, bool) { return "", false }); err == nil || err.Error() != "read compose file: "+want {
			t.Errorf("%.30q gives %v, want %s", text, err, want)
		}
	}
}

// FuzzCompose: whatever is read gives services from which a playbook can be made.
func FuzzCompose(f *testing.F) {
	text, err := os.ReadFile("testdata/compose.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("services: {a: &x {ports: ['80:80'], depends_on: {b: {}}}, b: *x}")
	f.Add("services: {a: {<<: [{ports: [1]}], links: ['a:b']}}")
	f.Fuzz(func(t *testing.T, text string) {
		services, _, err := Compose([]byte(text), func(n string) (string, bool) { return n, len(n)%2 == 0 })
		if err != nil {
			return
		}
		if _, err := Files(Answers{Application: "a", Person: Person{Name: "p"}, Services: services}); err != nil {
			t.Fatalf("no playbook can be made: %v", err)
		}
	})
}
