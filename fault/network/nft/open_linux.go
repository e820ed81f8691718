package nft

import (
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
)

// answer is how long the kernel may take to carry out a batch.
const answer = 5 * time.Second

// owner is the flag that ties a table to its socket.
const owner = 2

// Owned are tables that live until they are closed, or until this process ends.
type Owned struct{ conn *netlink.Conn }

// Open makes a table that belongs to this process, in a network namespace, and more that share its fate: all are made at
// once, or none. When Open returns, their rules are in force. A table of that name that is there already is an error:
// fs.ErrExist, or unix.EPERM when it belongs to another process.
func Open(ref netns.Ref, t Table, more ...Table) (*Owned, error) {
	conn, err := apply(ref, append([]Table{t}, more...), owner)
	if err != nil {
		return nil, err
	}
	return &Owned{conn: conn}, nil
}

// Close takes the tables away. When it returns, their rules are no longer in force. They are out of force soon after it was
// called; the rest of the time the kernel waits until nobody can be using them.
func (o *Owned) Close() error { return o.conn.Close() }

// Make makes a table that stays until somebody deletes it: for kernels without owned ones.
func Make(ref netns.Ref, t Table) error {
	conn, err := apply(ref, []Table{t}, 0)
	if err != nil {
		return err
	}
	return conn.Close()
}

// apply sends whole tables and waits for the kernel's answer.
func apply(ref netns.Ref, tables []Table, flags uint32) (conn *netlink.Conn, err error) {
	name := tables[0].Name
	batch, err := messages(tables, flags)
	if err != nil {
		return nil, fmt.Errorf("make nft table %s: %w", name, err)
	}
	err = ref.Do(func() error {
		if conn, err = dial(); err != nil {
			return err
		}
		return send(conn, batch)
	})
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, fmt.Errorf("make nft table %s: %w", name, explain(err))
	}
	return conn, nil
}

// dial opens a socket in the namespace of this thread.
func dial() (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netfilter socket: %w", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(answer)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// send sends a batch and waits for its one answer: the first error, or else the acknowledgement.
func send(conn *netlink.Conn, batch []netlink.Message) error {
	size := 0
	for _, m := range batch {
		size += len(m.Data) + 20
	}
	if size > 100<<10 {
		if err := conn.SetWriteBuffer(4 * size); err != nil {
			return err
		}
	}
	if _, err := conn.SendMessages(batch); err != nil {
		return err
	}
	_, err := conn.Receive()
	return err
}

// Delete takes a table away that Make has made, if it still has the handle that it got then. One that is gone is no error.
func Delete(ref netns.Ref, info Info) error {
	attrs, err := encode(func(e *netlink.AttributeEncoder) { e.Uint64(tableHandle, info.Handle) })
	if err != nil {
		return err
	}
	m := message(unix.NFT_MSG_DELTABLE, netlink.Acknowledge, info.Family, attrs)
	err = ref.Do(func() error {
		conn, err := dial()
		if err != nil {
			return err
		}
		defer conn.Close()
		return send(conn, []netlink.Message{edge(unix.NFNL_MSG_BATCH_BEGIN), m, edge(unix.NFNL_MSG_BATCH_END)})
	})
	if isGone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete nft table %s: %w", info.Name, err)
	}
	return nil
}
