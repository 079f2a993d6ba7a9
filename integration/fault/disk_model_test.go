//go:build unix

package fault

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// disk is what a daemon has asked of a disk: what must be there after a power
// failure, and what may be. It promises no more than POSIX does: an fsync keeps the
// content of a file, and only that of the directory keeps a name.
type disk struct {
	dir   string // above all that counts
	names map[string]*inode
	kept  map[string]*inode // names as the fsyncs of their directories left them
}

// inode is a file or directory whatever its name.
type inode struct {
	isDir   bool
	content []byte   // that an fsync has kept
	changes []change // since then, in their order
}

// change is a write or a truncation.
type change struct {
	data []byte // nil: a truncation
	at   int64
}

func newDisk(dir string) *disk {
	top := &inode{isDir: true}
	return &disk{dir: dir, names: map[string]*inode{dir: top}, kept: map[string]*inode{dir: top}}
}

// do follows a step. A change may reach the disk as soon as it begins; an fsync
// has kept only when it ends what had ended before it began. The reading here is
// simpler and not kinder: it keeps what had begun before its end, for calls of one
// file come from one thread at a time.
func (d *disk) do(s *step) error {
	if !strings.HasPrefix(s.path, d.dir+"/") && s.path != d.dir || strings.HasSuffix(s.path, "-shm") || strings.HasSuffix(s.path, "(deleted)") {
		return nil
	}
	file := d.names[s.path]
	switch s.call {
	case "write", "pwrite64", "ftruncate", "fsync", "fdatasync":
		if file == nil {
			return fmt.Errorf("%s of %s, which nobody has made", s.call, s.path)
		}
	}
	switch {
	case s.call == "write" || s.call == "pwrite64" || s.call == "ftruncate":
		if !s.ended {
			file.changes = append(file.changes, change{data: s.data, at: s.at})
		}
	case !s.ended:
	case s.call == "open" || s.call == "openat":
		if s.fresh && file == nil {
			d.names[s.path] = &inode{}
		}
	case s.call == "mkdir" || s.call == "mkdirat":
		d.names[s.path] = &inode{isDir: true}
	case s.call == "unlink" || s.call == "unlinkat":
		delete(d.names, s.path)
	case s.call == "fsync" || s.call == "fdatasync":
		d.sync(s.path, file)
	}
	return nil
}

func (d *disk) sync(name string, file *inode) {
	switch {
	case file.isDir:
		for _, known := range []map[string]*inode{d.kept, d.names} {
			for each := range known {
				if path.Dir(each) == name {
					d.keepName(each)
				}
			}
		}
	default:
		for i := range file.changes {
			file.content = file.changes[i].apply(file.content)
		}
		file.changes = nil
	}
}

func (d *disk) keepName(name string) {
	if now := d.names[name]; now != nil {
		d.kept[name] = now
	} else {
		delete(d.kept, name)
	}
}

func (c *change) apply(content []byte) []byte {
	end := c.at + int64(len(c.data))
	if c.data == nil {
		end = c.at
	}
	if c.data == nil && end < int64(len(content)) {
		return content[:end]
	}
	if missing := end - int64(len(content)); missing > 0 {
		content = append(content, make([]byte, missing)...)
	}
	copy(content[c.at:], c.data)
	return content
}

// torn returns what of a change has reached the disk: all, nothing or some
// sectors.
func (c *change) torn(random *rand.Rand) []change {
	switch random.IntN(3) {
	case 0:
		return nil
	case 1:
		return []change{*c}
	}
	if c.data == nil {
		return nil
	}
	var parts []change
	for from := int64(0); from < int64(len(c.data)); {
		to := min(int64(len(c.data)), from+sector-(c.at+from)%sector)
		if random.IntN(2) == 0 {
			parts = append(parts, change{data: c.data[from:to], at: c.at + from})
		}
		from = to
	}
	return parts
}

// lose writes into a directory what the disk may hold after a power failure.
func (d *disk) lose(into string, random *rand.Rand) error {
	after := map[string]*inode{}
	for _, known := range []map[string]*inode{d.kept, d.names} {
		for name := range known {
			before, now := d.kept[name], d.names[name]
			if before != now && random.IntN(2) == 0 {
				before = now
			}
			if before != nil {
				after[name] = before
			}
		}
	}
	names := make([]string, 0, len(after))
	for name := range after {
		if above := path.Dir(name); name == d.dir || after[above] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names) // directories before what is in them
	for _, name := range names {
		to := filepath.Join(into, strings.TrimPrefix(name, d.dir))
		file := after[name]
		if file.isDir {
			if err := os.MkdirAll(to, 0o700); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(to, file.lose(random), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// lose returns what a file may hold.
func (f *inode) lose(random *rand.Rand) []byte {
	content := slices.Clone(f.content)
	for i := range f.changes {
		for _, part := range f.changes[i].torn(random) {
			content = part.apply(content)
		}
	}
	return content
}

func TestDiskLosesWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	d := newDisk("/d")
	for _, s := range []step{
		{call: "mkdirat", path: "/d/q", ended: true}, {call: "fsync", path: "/d", ended: true},
		{call: "openat", path: "/d/q/kept", fresh: true, ended: true}, {call: "fsync", path: "/d/q", ended: true},
		{call: "pwrite64", path: "/d/q/kept", data: []byte("kept"), at: 0}, {call: "fsync", path: "/d/q/kept", ended: true},
		{call: "pwrite64", path: "/d/q/kept", data: []byte("lost"), at: 4},
		{call: "openat", path: "/d/q/unnamed", fresh: true, ended: true},
		{call: "pwrite64", path: "/d/q/unnamed", data: []byte("x"), at: 0}, {call: "fsync", path: "/d/q/unnamed", ended: true},
	} {
		if err := d.do(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.do(&step{call: "pwrite64", path: "/d/q/other", data: []byte("x")}); err == nil {
		t.Error("a write to a file that nobody has made is taken")
	}
	seen := map[string]int{}
	random := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		into := t.TempDir()
		if err := d.lose(into, random); err != nil {
			t.Fatal(err)
		}
		kept, _ := os.ReadFile(filepath.Join(into, "q", "kept"))
		_, err := os.Stat(filepath.Join(into, "q", "unnamed"))
		seen[fmt.Sprintf("%s %v", kept, err == nil)]++
	}
	for _, want := range []string{"kept true", "kept false", "keptlost true", "keptlost false"} {
		if seen[want] == 0 {
			t.Errorf("%q is never left, but %v", want, seen)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("unexpected: %v", seen)
	}
}
