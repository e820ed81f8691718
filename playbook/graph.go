package playbook

import (
	"slices"
	"time"
)

// Needs returns the services that the given ones need, directly or through others, nearest first and in the order of the
// text. The given services are not among them unless another one needs them. Cycles do no harm.
func (pb *Playbook) Needs(services ...string) []string {
	return pb.reach(services, func(id string) []string {
		s, ok := pb.Services.Get(id)
		if !ok {
			return nil
		}
		return s.Needs
	})
}

// Supports returns the services that need the given ones, directly or through others, nearest first. It is what a failure of
// the given services touches.
func (pb *Playbook) Supports(services ...string) []string {
	return pb.reach(services, func(id string) []string {
		var parents []string
		for _, row := range pb.Services {
			if slices.Contains(row.Value.Needs, id) {
				parents = append(parents, row.ID)
			}
		}
		return parents
	})
}

// reach walks from the given services along next, breadth first.
func (pb *Playbook) reach(from []string, next func(string) []string) []string {
	var found []string
	queue := slices.Clone(from)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		for _, n := range next(id) {
			if !slices.Contains(found, n) && !slices.Contains(from, n) {
				found = append(found, n)
				queue = append(queue, n)
			}
		}
	}
	return found
}

// cycle finds a cycle among the nodes that runs through start, as the list of its nodes with start first and last; nil when
// there is none.
func cycle(start string, next func(string) []string) []string {
	seen := map[string]bool{}
	var walk func(id string, trail []string) []string
	walk = func(id string, trail []string) []string {
		for _, n := range next(id) {
			if n == start {
				return append(slices.Clone(trail), n)
			}
			if seen[n] {
				continue
			}
			seen[n] = true
			if found := walk(n, append(trail, n)); found != nil {
				return found
			}
		}
		return nil
	}
	return walk(start, []string{start})
}

// Achievable is the recovery time that a service can promise, given the promises of what it needs.
type Achievable struct {
	// Promised is the service's own objective; zero when it states none.
	Promised Duration `json:"promised"`
	// Serial is the longest chain when each service can only begin after what it needs has come back.
	Serial Duration `json:"serial"`
	// Parallel is the longest single objective when all recover at the same time.
	Parallel Duration `json:"parallel"`
	// Path is the chain that decides Serial, from the service down.
	Path []string `json:"path"`
}

// AchievableRTO rolls the objectives of what the service needs up to it. Services that are never critical do not count. The truth
// lies between Parallel (everything is repaired at once) and Serial (one after another).
func (pb *Playbook) AchievableRTO(service string) Achievable {
	type chain struct {
		length time.Duration
		path   []string
	}
	known := map[string]chain{}
	var walk func(id string) chain
	walk = func(id string) chain {
		s, ok := pb.Services.Get(id)
		if c, done := known[id]; done || !ok {
			return c
		}
		known[id] = chain{} // what leads back here adds nothing
		var longest chain
		for _, need := range s.Needs {
			child, ok := pb.Services.Get(need)
			if !ok || child.Critical.Level == Never {
				continue
			}
			if c := walk(need); c.length > longest.length {
				longest = c
			}
		}
		known[id] = chain{longest.length + s.RTO.D(), append([]string{id}, longest.path...)}
		return known[id]
	}
	longest := walk(service)
	out := Achievable{Serial: Duration(longest.length), Path: longest.path}
	if s, ok := pb.Services.Get(service); ok {
		out.Promised, out.Parallel = s.RTO, s.RTO
	}
	for _, need := range pb.Needs(service) {
		if s, ok := pb.Services.Get(need); ok && s.Critical.Level != Never {
			out.Parallel = max(out.Parallel, s.RTO)
		}
	}
	return out
}
