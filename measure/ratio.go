package measure

import "time"

// Ratio is how many of the conclusive probes that started in [From, Until) were answered well.
type Ratio struct {
	From  time.Duration `json:"from_ns"`
	Until time.Duration `json:"until_ns"`
	OK    int           `json:"ok"`
	Total int           `json:"total"`
}

// Ratios slides a window of the given width over the samples, step by step, for partial outages.
func Ratios(samples []Sample, width, step time.Duration) []Ratio { return nil }
