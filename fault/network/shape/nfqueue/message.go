// Package nfqueue speaks with the kernel's packet queue: it binds one, reads packets from it and gives verdicts, many in
// one call. It makes no garbage for a packet, because that would be a delay of its own. The kernel unbinds the queue when
// its socket is closed, by whomever. It must never decide what happens to a packet. Start at Open.
package nfqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Packet is one that waits for a verdict. Payload is only good until the next one is read, and may be a piece of it.
type Packet struct {
	ID uint32
	// Hook is where it was caught: HookIn, HookForward or HookOut.
	Hook uint8
	// Size is its whole length.
	Size    int
	Payload []byte
}

// The hooks, as the kernel numbers them.
const (
	HookIn      = 1
	HookForward = 2
	HookOut     = 3
)

// Hooks is one more than the highest hook.
const Hooks = 5

// Message types and attributes of the kernel's nfnetlink_queue.
const (
	subsystem = 3 << 8

	msgPacket  = subsystem
	msgVerdict = subsystem | 1
	msgConfig  = subsystem | 2

	attrHeader  = 1
	attrVerdict = 2
	attrPayload = 10
	attrLength  = 13

	configCommand = 1
	configParams  = 2
	configMaxLen  = 3
	configMask    = 4
	configFlags   = 5

	typeError = 2

	sizeHeader  = 16 // nlmsghdr
	sizeGeneral = 4  // nfgenmsg
	sizeAttr    = 4
)

// errShort says that a message ends before its own length.
var errShort = errors.New("message is cut short")

// next cuts the first message off a buffer.
func next(b []byte) (kind uint16, body, rest []byte, err error) {
	if len(b) < sizeHeader {
		return 0, nil, nil, errShort
	}
	n := int(binary.NativeEndian.Uint32(b))
	if n < sizeHeader || n > len(b) {
		return 0, nil, nil, errShort
	}
	return binary.NativeEndian.Uint16(b[4:]), b[sizeHeader:n], b[min(align(n), len(b)):], nil
}

func align(n int) int { return (n + 3) &^ 3 }

// parse reads the body of a packet message.
func parse(body []byte) (Packet, error) {
	var p Packet
	if len(body) < sizeGeneral {
		return p, errShort
	}
	found := false
	for b := body[sizeGeneral:]; len(b) >= sizeAttr; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < sizeAttr || n > len(b) {
			return p, errShort
		}
		value := b[sizeAttr:n]
		switch binary.NativeEndian.Uint16(b[2:]) & 0x3fff {
		case attrHeader:
			if len(value) < 7 {
				return p, errShort
			}
			p.ID, p.Hook, found = binary.BigEndian.Uint32(value), value[6], true
		case attrPayload:
			p.Payload = value
			p.Size = max(p.Size, len(value))
		case attrLength:
			if len(value) < 4 {
				return p, errShort
			}
			p.Size = max(p.Size, int(binary.BigEndian.Uint32(value)))
		}
		b = b[min(align(n), len(b)):]
	}
	if !found {
		return p, errors.New("packet has no header")
	}
	return p, nil
}

// message appends a message to a buffer, with attributes that are written by f.
func message(b []byte, kind, flags, queue uint16, f func(b []byte) []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, sizeHeader)...)
	binary.NativeEndian.PutUint16(b[at+4:], kind)
	binary.NativeEndian.PutUint16(b[at+6:], flags)
	b = append(b, 0, 0) // any family, version 0
	b = binary.BigEndian.AppendUint16(b, queue)
	b = f(b)
	binary.NativeEndian.PutUint32(b[at:], uint32(len(b)-at))
	return b
}

// attr appends an attribute with its padding.
func attr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(sizeAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// refusal is what an error message says; nil when it is an acknowledgement.
func refusal(body []byte) error {
	if len(body) < 4 {
		return errShort
	}
	if n := int32(binary.NativeEndian.Uint32(body)); n != 0 {
		return fmt.Errorf("%w", errno(n))
	}
	return nil
}
