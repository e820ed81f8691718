// Package shape makes a line bad: delay, jitter, loss, duplicates, damage, another order, a low rate. It has two engines
// and takes what the kernel can do: netem, a queueing discipline, or a packet queue that this very process serves and
// that the kernel takes back when it dies. It must never touch a packet outside of its filter, nor replace a queueing
// discipline that somebody has set up. The arithmetic is in wire, the packets are in packet, the kernel's queue is in
// nfqueue. Start at New.
package shape
