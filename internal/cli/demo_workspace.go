package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/examples/bookstore"
	"github.com/belay-dr/belay/exercise/local"
)

// chooseDir makes the directory of the demo. What it returns tidies a temporary one up at the end.
func (d *demo) chooseDir() (tidy func(error), err error) {
	if d.opts.Dir != "" {
		if d.dir, err = filepath.Abs(d.opts.Dir); err != nil {
			return nil, fmt.Errorf("make workspace: %w", err)
		}
		return func(error) {}, nil
	}
	if d.dir, err = os.MkdirTemp("", "belay-demo-"); err != nil {
		return nil, fmt.Errorf("make workspace: %w", err)
	}
	// A path without symbolic links, so that the faults' paths are what they seem (macOS links its temporary directory).
	if d.dir, err = filepath.EvalSymlinks(d.dir); err != nil {
		return nil, fmt.Errorf("make workspace: %w", err)
	}
	return func(err error) {
		// The playbook, its documents and the evidence are worth a look; the programs are not worth their room.
		for _, programs := range []string{"bin", "lib", "image"} {
			os.RemoveAll(filepath.Join(d.dir, programs))
		}
		if err != nil {
			fmt.Fprintf(d.app.Stderr, "belay: the demo's workspace is kept in %s\n", d.dir)
		}
	}, nil
}

// startBookstore starts the Bookstore in dir, which is made when it is not there.
func startBookstore(ctx context.Context, app *App, dir string, tethered bool) (*bookstore.Info, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make workspace: %w", err)
	}
	if err := demoMayUse(dir); err != nil {
		return nil, err
	}
	info, err := bookstore.Up(ctx, bookstore.Options{Dir: dir, Exe: bookstoreExe(app), Tethered: tethered})
	if err == nil {
		return info, nil
	}
	logs := filepath.Join(dir, "log")
	if said, _ := filepath.Glob(filepath.Join(logs, "*.log")); len(said) > 0 && ctx.Err() == nil {
		err = Hint(err, "the components' logs are in %s", logs)
	}
	return nil, err
}

// demoMayUse refuses a directory that holds something else: the demo writes a playbook and starts servers in it.
func demoMayUse(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("make workspace: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	if _, err := bookstore.ReadInfo(dir); err != nil {
		return Hint(Exitf(Usage, "%s is not empty and holds no Bookstore", dir), "name an empty directory, or one that does not exist yet")
	}
	return nil
}

// alone refuses a directory where an exercise is going on, before anything is signed there.
func (d *demo) alone() error {
	running, err := local.Running(d.dir, demoEnvironment)
	if err != nil || running == "" {
		return err
	}
	return Hint(Exitf(Refused, "exercise %s is going on in %s, perhaps that of another demo", running, d.dir),
		"wait until it has ended, or give this demo a directory of its own with --dir")
}

// earlier says what was there before this demo: a Bookstore that runs, and evidence.
func (d *demo) earlier(ctx context.Context) error {
	if d.info.Started() {
		d.done("%s", d.info.APIURL+"/books/")
	} else {
		d.done("%s (it was up already, and is left up)", d.info.APIURL+"/books/")
	}
	closed, err := d.ws.Records(ctx, evidence.Filter{Kinds: []string{evidence.KindExercise}})
	if err != nil {
		return err
	}
	if len(closed) > 0 {
		d.done("the ledger here has %s; those of this demo are added", plural(len(closed), "exercise"))
	}
	return nil
}

// down stops the Bookstore, also when the demo was interrupted.
func (d *demo) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return bookstore.Down(ctx, d.dir)
}
