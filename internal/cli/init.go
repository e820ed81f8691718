package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
	"github.com/belay-dr/belay/playbook/start"
)

type initOptions struct {
	Dir         string
	From        string
	Application string
	Team        string
	Environment string
	Person      string
	Phone       string
	Service     string
	URL         string
	Address     string
	Restart     string
	Stop        string
	PIDFile     string
	RTO, RPO    string
}

func newInit(app *App) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Start a playbook",
		Long: `Init writes a small playbook that is valid and says in comments what to fill in: belay.yaml, and a scenario for each
service that can be measured. It asks for what no flag has given when a person sits there, and names the missing flags
when not. With --from it takes the services from a Compose file and lists what it could not take over.

It never overwrites: if one of its files is there, it writes none.

For an exercise Belay must be able to take the service away: give the file that holds the number of its process
(--pid-file), or a command that stops it (--stop, which needs curl or nc to see that it is away). And it must be able to
bring it back: give the command (--restart), or follow the scenario by hand in guided mode.`,
		Example: `  $ belay init
  $ belay init --application shop --person "Alice <alice@example.com>" --service web --url http://127.0.0.1:8080/health \
      --restart "systemctl --user start shop" --stop "systemctl --user stop shop"
  $ belay init --from compose.yaml --application shop --person Alice`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if cmd.Flags().Changed("dir") {
					return Exitf(Usage, "the directory is given twice: %s and --dir %s", args[0], o.Dir)
				}
				o.Dir = args[0]
			}
			return runInit(app, o)
		},
	}
	f := cmd.Flags()
	dirFlag(cmd, &o.Dir)
	f.StringVar(&o.From, "from", "", "Compose `file` to take the services from")
	f.StringVar(&o.Application, "application", "", "short `name` of the application")
	f.StringVar(&o.Team, "team", "", "`team` that owns it")
	f.StringVarP(&o.Environment, "env", "e", "staging", "the non-production `environment` to begin with")
	f.StringVar(&o.Person, "person", "", "who answers for it, as a `name` or \"Name <address>\"")
	f.StringVar(&o.Phone, "phone", "", "the person's telephone `number`")
	f.StringVar(&o.Service, "service", "", "short `name` of the service")
	f.StringVar(&o.URL, "url", "", "`page` that answers 200 while the service works")
	f.StringVar(&o.Address, "address", "", "`host:port` to connect to, for a service without a page")
	f.StringVar(&o.Restart, "restart", "", "`command` that brings the service back")
	f.StringVar(&o.Stop, "stop", "", "`command` that takes the service away")
	f.StringVar(&o.PIDFile, "pid-file", "", "`file` with the number of the service's process, to kill it")
	f.StringVar(&o.RTO, "rto", "1h", "first recovery `time` objective")
	f.StringVar(&o.RPO, "rpo", "", "first recovery point objective, a `time`; it needs a canary to be met")
	cmd.MarkFlagsMutuallyExclusive("url", "address")
	cmd.MarkFlagsMutuallyExclusive("stop", "pid-file")
	for _, one := range []string{"service", "url", "address", "restart", "stop", "pid-file"} {
		cmd.MarkFlagsMutuallyExclusive("from", one)
	}
	return cmd
}

func runInit(app *App, o initOptions) error {
	if app.Interactive {
		if err := askInit(app, &o); err != nil {
			return err
		}
	}
	answers, notes, err := initAnswers(app, o)
	if err != nil {
		return err
	}
	files, err := start.Files(answers)
	if err != nil {
		return Hint(Exit(Usage, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))), "try `belay init --help`")
	}
	pb, err := writePlaybook(o.Dir, files)
	if err != nil {
		return err
	}
	out := app.Out()
	for _, f := range files {
		out.Line("wrote %s", filepath.Join(o.Dir, filepath.FromSlash(f.Path)))
	}
	for _, n := range notes {
		out.Line("not taken over: %s", n)
	}
	findings := lint.Check(pb)
	risks := len(findings) - len(lint.Blockers(findings))
	if len(findings) > 0 {
		out.Line("%s, %s: `belay lint` shows them", plural(len(findings)-risks, "blocker"), plural(risks, "risk"))
	}
	if len(pb.Scenarios) > 0 {
		mode := "automatic"
		if s := pb.Scenarios[0].Value; s.Fault == nil || s.Recovery[0].Use == "" {
			mode = "guided"
		}
		out.Line("next: belay exercise run %s --env %s --mode %s%s", pb.Scenarios[0].ID, o.Environment, mode, inDir(o.Dir))
	}
	return nil
}

// initAnswers turns the flags into answers. Without a terminal the missing flags are all named at once.
func initAnswers(app *App, o initOptions) (start.Answers, []string, error) {
	person := start.ParsePerson(o.Person)
	person.Phone = o.Phone
	a := start.Answers{Application: o.Application, Team: o.Team, Environment: o.Environment, Person: person, RTO: o.RTO, RPO: o.RPO}
	var missing []string
	for _, need := range []struct {
		flag  string
		given bool
	}{
		{"--application", o.Application != ""},
		{"--person", o.Person != ""},
		{"--service", o.Service != "" || o.From != ""},
		{"--url or --address", o.URL+o.Address+o.From != ""},
	} {
		if !need.given {
			missing = append(missing, need.flag)
		}
	}
	if len(missing) > 0 {
		return a, nil, Hint(Exitf(Usage, "missing %s", strings.Join(missing, ", ")), "try `belay init --help`")
	}
	for flag, text := range map[string]string{"--rto": o.RTO, "--rpo": o.RPO} {
		if _, err := playbook.ParseDuration(text); text != "" && err != nil {
			return a, nil, Exitf(Usage, "%s: %w", flag, err)
		}
	}
	if o.From == "" {
		a.Services = []start.Service{{ID: o.Service, URL: o.URL, Address: o.Address, Restart: o.Restart, Stop: o.Stop, PIDFile: o.PIDFile}}
		return a, nil, nil
	}
	text, err := os.ReadFile(o.From)
	if err != nil {
		return a, nil, fmt.Errorf("read compose file: %w", err)
	}
	services, notes, err := start.Compose(text, app.Env)
	if err != nil {
		return a, nil, Exit(Usage, fmt.Errorf("%s: %w", o.From, err))
	}
	a.Services = services
	return a, notes, nil
}

// askInit asks a person for what no flag has given. An empty answer takes what stands in brackets.
func askInit(app *App, o *initOptions) error {
	in := bufio.NewReader(app.Stdin)
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("find directory: %w", err)
	}
	ask := func(into *string, question, usual string) error {
		if *into != "" {
			return nil
		}
		if usual != "" {
			question += " [" + usual + "]"
		}
		fmt.Fprintf(app.Stderr, "%s: ", question)
		line, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read answer: %w", err)
		}
		*into = cmp.Or(strings.TrimSpace(line), usual)
		return nil
	}
	questions := []struct {
		into            *string
		question, usual string
	}{
		{&o.Application, "Short name of the application", filepath.Base(abs)},
		{&o.Person, "Who answers for it (Name <address>)", ""},
		{&o.Phone, "Telephone number, for three in the morning (may stay empty)", ""},
	}
	if o.From == "" {
		questions = append(questions, []struct {
			into            *string
			question, usual string
		}{
			{&o.Service, "Short name of its first service", "web"},
			{&o.URL, "Page that answers 200 while it works", "http://127.0.0.1:8080/"},
			{&o.Restart, "Command that brings it back (may stay empty)", ""},
		}...)
	}
	for _, q := range questions {
		if q.into == &o.URL && o.Address != "" {
			continue
		}
		if err := ask(q.into, q.question, q.usual); err != nil {
			return err
		}
	}
	if o.From != "" || o.Stop != "" || o.PIDFile != "" {
		return nil
	}
	if err := ask(&o.PIDFile, "File with the number of its process, so that an exercise can kill it (may stay empty)", ""); err != nil || o.PIDFile != "" || o.Restart == "" {
		return err
	}
	return ask(&o.Stop, "Command that takes it away (may stay empty)", "")
}

// writePlaybook writes all files or none. They are written and loaded in a folder of their own first, so that only a valid playbook
// ever appears, and then linked into their places, which fails where a file is there already.
func writePlaybook(dir string, files []start.File) (pb *playbook.Playbook, err error) {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if _, err := os.Lstat(path); err == nil {
			return nil, Hint(Exitf(Refused, "%s is there already, nothing was written", path), "`belay lint` checks a playbook; --dir names another directory")
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write playbook: %w", err)
	}
	draft, err := os.MkdirTemp(dir, ".belay-init-")
	if err != nil {
		return nil, fmt.Errorf("write playbook: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(draft)) }()
	for _, f := range files {
		path := filepath.Join(draft, filepath.FromSlash(f.Path))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(f.Text), 0o644)); err != nil {
			return nil, fmt.Errorf("write playbook: %w", err)
		}
	}
	if pb, err = playbook.Load(os.DirFS(draft), Kinds()); err != nil {
		return nil, err
	}
	var placed []string
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = place(filepath.Join(draft, filepath.FromSlash(f.Path)), path)
		}
		if err != nil {
			for _, p := range placed {
				err = errors.Join(err, os.Remove(p))
			}
			return nil, fmt.Errorf("write playbook: %w", err)
		}
		placed = append(placed, path)
	}
	return pb, nil
}

// place gives a file its name, and never takes one that is in use. Where the file system has no links it is moved.
func place(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	return os.Rename(from, to)
}
