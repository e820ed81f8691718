package awstest

type RDS struct{}
type FIS struct{}
type Route53 struct{}

func newRDS() *RDS                            { return &RDS{} }
func newFIS() *FIS                            { return &FIS{} }
func newRoute53() *Route53                    { return &Route53{} }
func (*RDS) handlers() map[string]handler     { return nil }
func (*FIS) handlers() map[string]handler     { return nil }
func (*Route53) handlers() map[string]handler { return nil }
