//go:build !linux

package main

import "fmt"

func main() { fmt.Println("halt: not measured: network namespaces are only on Linux") }
