package nft

import (
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Family is the kind of packets that a table sees.
type Family uint8

// The families. Inet is IPv4 and IPv6.
const (
	Inet Family = unix.NFPROTO_INET
	IPv4 Family = unix.NFPROTO_IPV4
	IPv6 Family = unix.NFPROTO_IPV6
	// Netdev is what passes a device.
	Netdev Family = unix.NFPROTO_NETDEV
)

// Hook is where on its way a packet is looked at.
type Hook uint32

// The hooks, with the numbers of the kernel.
const (
	Prerouting  Hook = unix.NF_INET_PRE_ROUTING
	Input       Hook = unix.NF_INET_LOCAL_IN
	Forward     Hook = unix.NF_INET_FORWARD
	Output      Hook = unix.NF_INET_LOCAL_OUT
	Postrouting Hook = unix.NF_INET_POST_ROUTING
	// Egress is the last thing before a device sends, in a table of the family Netdev. It is there since Linux 5.16.
	Egress Hook = 1
)

// MaxDevices is how many devices a chain, and a rule made with NotBy, may have. The kernel knows at most 128 expressions a rule.
const MaxDevices = 100

// The priorities at which a packet has the addresses that an application knows: before they are translated on the way out,
// and after they have been on the way in.
const (
	BeforeNAT int32 = -150
	AfterNAT  int32 = 150
	// NATOut is where the addresses of the destination are translated.
	NATOut int32 = -100
)

// Table is what is made.
type Table struct {
	Name   string
	Family Family
	Chains []Chain
}

// Chain is a list of rules at a hook. Packets that meet none go on.
type Chain struct {
	Name string
	// NAT makes it a chain in which Redirect works. It then sees the first packet of each connection only.
	NAT      bool
	Hook     Hook
	Priority int32
	// Devices are those of a chain at the hook Egress.
	Devices []string
	Rules   []Rule
}

// Rule is what is done with packets: the expressions are carried out one after the other until one does not hold.
type Rule struct {
	// Note is shown beside the rule by `nft list ruleset`.
	Note  string
	Exprs []expr.Any
}

// Expr is one expression of a rule.
type Expr = expr.Any
