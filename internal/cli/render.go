package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/publish/render"
)

type renderOptions struct {
	Dir         string
	Format      string
	Out         string
	Environment string
	Now         bool
}

func newRender(app *App) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render [DIR]",
		Short: "Write the playbook as one document to print",
		Long: `Render writes the whole playbook as one document that works offline and without Belay: whom to call, every table,
every procedure, the diagrams, and what lint says. Markdown goes to standard output unless --out names a file. The
ending of that file decides the form where --format does not. No file is written before the document is complete.`,
		Example: `  $ belay render --out playbook.html
  $ belay render --env staging --format md | less
  $ belay render --now            # with who can be reached at this moment`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if cmd.Flags().Changed("dir") {
					return Exitf(Usage, "the directory is given twice: %s and --dir %s", args[0], o.Dir)
				}
				o.Dir = args[0]
			}
			return runRender(app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	cmd.Flags().StringVar(&o.Format, "format", "", "`format`: md or html")
	cmd.Flags().StringVarP(&o.Out, "out", "o", "", "`file` to write instead of standard output")
	cmd.Flags().StringVarP(&o.Environment, "env", "e", "", "only the commands of this `environment`, with its values")
	cmd.Flags().BoolVar(&o.Now, "now", false, "order the calls by who can be reached now")
	return cmd
}

func runRender(app *App, o renderOptions) error {
	format := o.Format
	if format == "" {
		switch filepath.Ext(o.Out) {
		case ".html", ".htm":
			format = "html"
		default:
			format = "md"
		}
	}
	write := render.Markdown
	switch format {
	case "md":
	case "html":
		write = render.HTML
	default:
		return Exitf(Usage, "unknown format %q, expected md or html", o.Format)
	}
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer w.Close()
	pb, err := w.Playbook()
	if err != nil {
		return err
	}
	opts := render.Options{Environment: o.Environment}
	if o.Environment != "" {
		if _, ok := pb.Environments.Get(o.Environment); !ok {
			return Exitf(Usage, "unknown environment %q, expected one of: %s", o.Environment, strings.Join(pb.Environments.IDs(), ", "))
		}
	}
	if o.Now {
		opts.At = app.Clock.Now()
	}
	var b bytes.Buffer
	if err := write(&b, pb, opts); err != nil {
		return err
	}
	if o.Out == "" {
		if _, err := app.outlet.Write(b.Bytes()); err != nil {
			return fmt.Errorf("write document: %w", err)
		}
		return nil
	}
	return replaceFile(o.Out, b.Bytes())
}

// replaceFile writes a file that is either whole or as it was.
func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".belay-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
