package nfqueue

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// sample is a message as the kernel sends it.
func sample(id uint32, payload []byte, length int) []byte {
	return message(nil, msgPacket, 0, 7, func(b []byte) []byte {
		head := append(binary.BigEndian.AppendUint32(nil, id), 8, 0, HookOut)
		b = attr(b, attrHeader, head)
		b = attr(b, 6, []byte{0, 0, 0, 2}) // an attribute that we do not read
		if length > 0 {
			b = attr(b, attrLength, binary.BigEndian.AppendUint32(nil, uint32(length)))
		}
		return attr(b, attrPayload, payload)
	})
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ length, size int }{{0, 5}, {1500, 1500}} {
		buf := append(sample(9, []byte("hello"), c.length), sample(10, nil, 0)...)
		kind, body, rest, err := next(buf)
		if err != nil || kind != msgPacket {
			t.Fatal(kind, err)
		}
		p, err := parse(body)
		if err != nil || p.ID != 9 || p.Hook != HookOut || p.Size != c.size || string(p.Payload) != "hello" {
			t.Errorf("%+v, %v", p, err)
		}
		if _, body, rest, err = next(rest); err != nil || len(rest) != 0 {
			t.Fatal(err)
		}
		if p, err = parse(body); err != nil || p.ID != 10 {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

func TestShortMessages(t *testing.T) {
	whole := sample(9, []byte("hello"), 0)
	for n := range whole {
		_, body, _, err := next(whole[:n])
		if err == nil {
			t.Errorf("%d of %d bytes are taken for a message: %v", n, len(whole), body)
		}
	}
	_, body, _, _ := next(whole)
	if _, err := parse(body[:sizeGeneral]); err == nil {
		t.Error("a packet without a header is taken for one")
	}
}

// FuzzParse: whatever comes from the socket, the payload lies within it and nothing breaks.
func FuzzParse(f *testing.F) {
	f.Add(sample(9, []byte("hello"), 1500))
	f.Add(append(sample(1, nil, 0), sample(2, bytes.Repeat([]byte{1}, 99), 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			_, body, rest, err := next(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("a message has no length")
			}
			if p, err := parse(body); err == nil && (len(p.Payload) > len(body) || p.Size < len(p.Payload)) {
				t.Fatalf("%+v", p)
			}
			_ = refusal(body)
			b = rest
		}
	})
}
