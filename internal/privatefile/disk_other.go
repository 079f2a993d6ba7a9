//go:build !unix

package privatefile

import "io/fs"

// checkMode knows no modes here.
func checkMode(string, fs.FileInfo) error { return nil }

// syncDir has nothing to do: such systems do not sync directories.
func syncDir(string) error { return nil }
