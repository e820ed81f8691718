package shape

// Ability is what the kernel and our rights allow. An empty reason is a yes.
type Ability struct {
	// NoNetem and NoQueue say why an engine cannot be used here.
	NoNetem, NoQueue string
	// OldQueue says that the queue needs the rules of iptables, and SplitTables that IPv4 and IPv6 need a table each.
	OldQueue, SplitTables bool
	// Flower says that netem's packets can be chosen by flower; else u32 does it.
	Flower bool
}

// Mechanism is what Best would take for what goes out, and whether the kernel takes it back by itself. It is empty when
// nothing can be used; the second value then says why.
func (a Ability) Mechanism() (mechanism, why string, kernelEnds bool) {
	switch {
	case a.NoNetem == "":
		return "netem", "", false
	case a.NoQueue == "":
		return "packet queue of the holder (" + a.NoNetem + ")", "", true
	}
	return "", a.NoNetem + "; " + a.NoQueue, false
}
