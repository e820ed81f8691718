package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionOptions struct {
	JSON bool
}

// Version is what `belay version --json` prints.
type Version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(app *App) *cobra.Command {
	var o versionOptions
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  $ belay version
  $ belay version --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runVersion(app, o) },
	}
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runVersion(app *App, o versionOptions) error {
	v := readVersion()
	if o.JSON {
		return app.JSON(v)
	}
	_, err := fmt.Fprintf(app.outlet, "belay %s\n", v.Version)
	return err
}

// readVersion reads what the Go tool chain wrote into the binary.
func readVersion() Version {
	v := Version{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
