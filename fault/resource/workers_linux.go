package resource

import "github.com/belay-dr/belay/fault"

// Workers are the helper processes of these faults.
func Workers() fault.Workers {
	return fault.Workers{burnWorker: burnWork, hogWorker: hogWork, diskWorker: diskWork}
}
