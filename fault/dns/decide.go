package dns

import (
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// verdict is what becomes of a packet.
type verdict int

const (
	pass   verdict = iota // on to the real server, as it is
	reply                 // an answer of ours
	forget                // no answer at all
	late                  // on to the real server, after a while
)

// rules are the config in the form that every packet is held against.
type rules struct {
	names   []pattern
	code    string
	address []netip.Addr
	slow    time.Duration
}

func (d *DNS) rules() rules {
	r := rules{names: d.patterns(), code: d.Answer.Code}
	for _, text := range d.Answer.Address {
		if a, err := netip.ParseAddr(text); err == nil {
			r.address = append(r.address, a)
		}
	}
	r.slow, _ = time.ParseDuration(d.Answer.Slow)
	return r
}

// lifetime is how many seconds a wrong address may be kept.
const lifetime = 1

// decide says what becomes of a packet. Whatever cannot be read is passed on: the real server knows what to say to it.
func (r rules) decide(packet []byte) (verdict, []byte) {
	var q dns.Msg
	if err := q.Unpack(packet); err != nil || q.Response || q.Opcode != dns.OpcodeQuery || len(q.Question) != 1 {
		return pass, nil
	}
	ask := q.Question[0]
	if !covers(r.names, strings.ToLower(ask.Name)) || ask.Qclass != dns.ClassINET && ask.Qclass != dns.ClassANY {
		return pass, nil
	}
	var a dns.Msg
	a.SetReply(&q)
	a.RecursionAvailable = true
	switch {
	case r.slow > 0:
		return late, nil
	case r.code == silent:
		return forget, nil
	case r.code == servfail:
		a.Rcode = dns.RcodeServerFailure
	case r.code == unknown:
		a.Rcode = dns.RcodeNameError // without an SOA, so that nobody keeps it
	case !r.instead(&a, ask):
		return pass, nil
	}
	if e := q.IsEdns0(); e != nil {
		a.SetEdns0(1232, e.Do())
	}
	b, err := a.Pack()
	if err != nil {
		return forget, nil
	}
	return reply, b
}

// instead writes the wrong addresses, or false where the question is not for an address.
func (r rules) instead(a *dns.Msg, ask dns.Question) bool {
	head := dns.RR_Header{Name: ask.Name, Rrtype: ask.Qtype, Class: dns.ClassINET, Ttl: lifetime}
	switch ask.Qtype {
	case dns.TypeA, dns.TypeAAAA:
	case dns.TypeHTTPS, dns.TypeSVCB: // they carry addresses too: say that there are none
		return true
	default:
		return false
	}
	for _, ip := range r.address {
		switch v4 := ip.Unmap().Is4(); {
		case v4 && ask.Qtype == dns.TypeA:
			a.Answer = append(a.Answer, &dns.A{Hdr: head, A: ip.Unmap().AsSlice()})
		case !v4 && ask.Qtype == dns.TypeAAAA:
			a.Answer = append(a.Answer, &dns.AAAA{Hdr: head, AAAA: ip.AsSlice()})
		}
	}
	return true
}
