package main

import (
	"os"
	"syscall"
)

// syncData has the disk know what was written to a file that has not grown.
func syncData(file *os.File) error { return syscall.Fdatasync(int(file.Fd())) }
