package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
)

// Info is a table that exists.
type Info struct {
	Family Family `json:"family"`
	Name   string `json:"name"`
	Handle uint64 `json:"handle"`
	// Owned says that it belongs to a process, whose netlink port Owner is.
	Owned bool   `json:"owned,omitempty"`
	Owner uint32 `json:"owner,omitempty"`
}

// Counted is what a rule has counted.
type Counted struct {
	Chain   string
	Note    string
	Packets uint64
	Bytes   uint64
}

// Tables are all tables of a network namespace.
func Tables(ref netns.Ref) ([]Info, error) {
	answers, err := dump(ref, unix.NFT_MSG_GETTABLE, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("list nft tables: %w", explain(err))
	}
	var out []Info
	for _, m := range answers {
		if len(m.Data) < 4 {
			continue
		}
		i := Info{Family: Family(m.Data[0])}
		d, err := decoder(m.Data[4:])
		if err != nil {
			return nil, fmt.Errorf("list nft tables: %w", err)
		}
		for d.Next() {
			switch d.Type() {
			case unix.NFTA_TABLE_NAME:
				i.Name = d.String()
			case tableHandle:
				i.Handle = d.Uint64()
			case unix.NFTA_TABLE_FLAGS:
				i.Owned = d.Uint32()&owner != 0
			case tableOwner:
				i.Owner = d.Uint32()
			}
		}
		if err := d.Err(); err != nil {
			return nil, fmt.Errorf("list nft tables: %w", err)
		}
		out = append(out, i)
	}
	return out, nil
}

// Find is the table of this name, if there is one.
func Find(ref netns.Ref, family Family, name string) (Info, bool, error) {
	all, err := Tables(ref)
	for _, t := range all {
		if t.Family == family && t.Name == name {
			return t, true, nil
		}
	}
	return Info{}, false, err
}

// Counters are what the rules of a table have counted, in their order.
func Counters(ref netns.Ref, family Family, table string) ([]Counted, error) {
	attrs, err := encode(func(e *netlink.AttributeEncoder) { e.String(unix.NFTA_RULE_TABLE, table) })
	if err != nil {
		return nil, err
	}
	answers, err := dump(ref, unix.NFT_MSG_GETRULE, family, attrs)
	if err != nil {
		return nil, fmt.Errorf("read counters of nft table %s: %w", table, err)
	}
	var out []Counted
	for _, m := range answers {
		if len(m.Data) < 4 || Family(m.Data[0]) != family {
			continue
		}
		c, of, err := counted(m.Data[4:])
		if err != nil {
			return nil, fmt.Errorf("read counters of nft table %s: %w", table, err)
		}
		if of == table {
			out = append(out, c)
		}
	}
	return out, nil
}

// counted reads a rule.
func counted(b []byte) (c Counted, table string, err error) {
	d, err := decoder(b)
	if err != nil {
		return c, "", err
	}
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_RULE_TABLE:
			table = d.String()
		case unix.NFTA_RULE_CHAIN:
			c.Chain = d.String()
		case unix.NFTA_RULE_USERDATA:
			c.Note = noteOf(d.Bytes())
		case unix.NFTA_RULE_EXPRESSIONS:
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					d.Nested(c.expression)
				}
				return d.Err()
			})
		}
	}
	return c, table, d.Err()
}

// expression reads one expression, which has its name before its data.
func (c *Counted) expression(d *netlink.AttributeDecoder) error {
	name := ""
	for d.Next() {
		switch {
		case d.Type() == unix.NFTA_EXPR_NAME:
			name = d.String()
		case d.Type() == unix.NFTA_EXPR_DATA && name == "counter":
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					switch d.Type() {
					case unix.NFTA_COUNTER_BYTES:
						c.Bytes = d.Uint64()
					case unix.NFTA_COUNTER_PACKETS:
						c.Packets = d.Uint64()
					}
				}
				return d.Err()
			})
		}
	}
	return d.Err()
}

func decoder(b []byte) (*netlink.AttributeDecoder, error) {
	d, err := netlink.NewAttributeDecoder(b)
	if err == nil {
		d.ByteOrder = binary.BigEndian
	}
	return d, err
}

// dump asks for all of a kind. A list that changed while it was read is read again.
func dump(ref netns.Ref, kind int, family Family, attrs []byte) (answers []netlink.Message, err error) {
	for range 5 {
		err = ref.Do(func() error {
			conn, err := dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			answers, err = conn.Execute(message(kind, netlink.Dump, family, attrs))
			return err
		})
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return answers, err
}

// isGone says that what was to be deleted is not there.
func isGone(err error) bool { return errors.Is(err, unix.ENOENT) }
