//go:build !linux

package nfqueue

import "fmt"

func errno(n int32) error { return fmt.Errorf("errno %d", -n) }
