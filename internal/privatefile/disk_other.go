//go:build !unix

package privatefile

import "io/fs"

// checkMode and checkDir know no modes here.
func checkMode(string, fs.FileInfo) error { return nil }

func checkDir(string) error { return nil }

// syncDir has nothing to do: such systems do not sync directories.
func syncDir(string) error { return nil }
