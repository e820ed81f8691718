package kubetest

import (
	"os"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
)

// asKeeper is what the test binary is started as to keep a cluster.
const asKeeper = "kubetest-keeper"

// Main is faulttest.Main of packages that also use a cluster.
func Main(m *testing.M, kinds fault.Kinds, workers fault.Workers) {
	if len(os.Args) == 4 && os.Args[1] == asKeeper {
		os.Exit(keep(os.Args[2], os.Args[3], os.Stdin, os.Stdout))
	}
	faulttest.Main(m, kinds, workers)
}
