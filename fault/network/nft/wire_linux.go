package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// MaxRules is how many rules a table may have. Its messages must fit into one send.
const MaxRules = 8192

// The attributes of tables and chains that golang.org/x/sys/unix does not name.
const (
	tableHandle = 4
	tableOwner  = 7
	hookDevices = 4
	deviceName  = 1
)

// header is what all messages of the packet filter begin with.
func header(family Family, resource uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{byte(family), unix.NFNETLINK_V0}, resource)
}

// message makes one message.
func message(kind int, flags netlink.HeaderFlags, family Family, attrs []byte) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request | flags},
		Data:   append(header(family, 0), attrs...),
	}
}

// edge is the begin or the end of a batch, which the kernel carries out as a whole or not at all.
func edge(kind int) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
		Data:   header(0, unix.NFNL_SUBSYS_NFTABLES),
	}
}

// encode writes attributes in the byte order of the packet filter.
func encode(write func(e *netlink.AttributeEncoder)) ([]byte, error) {
	e := netlink.NewAttributeEncoder()
	e.ByteOrder = binary.BigEndian
	write(e)
	return e.Encode()
}

// nested writes attributes inside an attribute.
func nested(e *netlink.AttributeEncoder, kind uint16, write func(e *netlink.AttributeEncoder) error) {
	e.Nested(kind, func(in *netlink.AttributeEncoder) error {
		in.ByteOrder = binary.BigEndian
		return write(in)
	})
}

// messages are the whole batch that makes the tables. The last one asks for an acknowledgement.
func messages(tables []Table, flags uint32) ([]netlink.Message, error) {
	batch := []netlink.Message{edge(unix.NFNL_MSG_BATCH_BEGIN)}
	for _, t := range tables {
		list, err := t.messages(flags)
		if err != nil {
			return nil, err
		}
		batch = append(batch, list...)
	}
	batch[len(batch)-1].Header.Flags |= netlink.Acknowledge
	return append(batch, edge(unix.NFNL_MSG_BATCH_END)), nil
}

// messages make one table.
func (t Table) messages(flags uint32) ([]netlink.Message, error) {
	table, err := encode(func(e *netlink.AttributeEncoder) {
		e.String(unix.NFTA_TABLE_NAME, t.Name)
		e.Uint32(unix.NFTA_TABLE_FLAGS, flags)
	})
	if err != nil {
		return nil, err
	}
	batch := []netlink.Message{message(unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Excl, t.Family, table)}
	rules := 0
	for _, c := range t.Chains {
		attrs, err := c.encode(t.Name)
		if err != nil {
			return nil, err
		}
		batch = append(batch, message(unix.NFT_MSG_NEWCHAIN, netlink.Create, t.Family, attrs))
		for _, r := range c.Rules {
			attrs, err := r.encode(t, c)
			if err != nil {
				return nil, err
			}
			batch = append(batch, message(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append, t.Family, attrs))
			rules++
		}
	}
	if rules > MaxRules {
		return nil, fmt.Errorf("%d rules are too many; the most is %d: name fewer peers or ports", rules, MaxRules)
	}
	return batch, nil
}

func (c Chain) encode(table string) ([]byte, error) {
	kind := "filter"
	if c.NAT {
		kind = "nat"
	}
	return encode(func(e *netlink.AttributeEncoder) {
		e.String(unix.NFTA_CHAIN_TABLE, table)
		e.String(unix.NFTA_CHAIN_NAME, c.Name)
		nested(e, unix.NFTA_CHAIN_HOOK, func(e *netlink.AttributeEncoder) error {
			e.Uint32(unix.NFTA_HOOK_HOOKNUM, uint32(c.Hook))
			e.Uint32(unix.NFTA_HOOK_PRIORITY, uint32(c.Priority))
			if len(c.Devices) > 0 {
				nested(e, hookDevices, c.devices)
			}
			return nil
		})
		e.Uint32(unix.NFTA_CHAIN_POLICY, 1) // accept
		e.String(unix.NFTA_CHAIN_TYPE, kind)
	})
}

func (c Chain) devices(e *netlink.AttributeEncoder) error {
	for _, name := range c.Devices {
		e.String(deviceName, name)
	}
	return nil
}

func (r Rule) encode(t Table, c Chain) ([]byte, error) {
	return encode(func(e *netlink.AttributeEncoder) {
		e.String(unix.NFTA_RULE_TABLE, t.Name)
		e.String(unix.NFTA_RULE_CHAIN, c.Name)
		nested(e, unix.NFTA_RULE_EXPRESSIONS, func(e *netlink.AttributeEncoder) error {
			for _, x := range r.Exprs {
				b, err := expr.Marshal(byte(t.Family), x)
				if err != nil {
					return err
				}
				e.Bytes(unix.NLA_F_NESTED|unix.NFTA_LIST_ELEM, b)
			}
			return nil
		})
		if r.Note != "" {
			e.Bytes(unix.NFTA_RULE_USERDATA, comment(r.Note))
		}
	})
}

// comment is a note as `nft` writes and reads it: type 0, length, text, zero.
func comment(note string) []byte {
	note = note[:min(len(note), 128)]
	return append(append([]byte{0, byte(len(note) + 1)}, note...), 0)
}

// noteOf reads it.
func noteOf(b []byte) string {
	if len(b) < 3 || b[0] != 0 || int(b[1]) > len(b)-2 || b[1] == 0 {
		return ""
	}
	return string(b[2 : 2+b[1]-1])
}

// ErrMissing says that the kernel lacks a part of the packet filter.
var ErrMissing = errors.New("this kernel lacks a part of nf_tables")

// explain says what an error of the kernel means here.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT),
		errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %w", ErrMissing, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("CAP_NET_ADMIN is missing, or the table belongs to another process: %w", err)
	}
	return err
}
