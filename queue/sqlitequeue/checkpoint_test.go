package sqlitequeue

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestLogStaysShort: what is committed gets into the database, so that the log does
// not grow with it; while somebody reads the database as it was, it does.
func TestLogStaysShort(t *testing.T) {
	t.Parallel()
	const page = 4096
	dir := t.TempDir()
	s := testOpen(t, dir, Options{})
	write := func(megabytes int) (logged int64) {
		for range megabytes {
			m := testMessage(s, "")
			m.Payload = bytes.Repeat([]byte("x"), 1<<20)
			testEnqueue(t, s, m)
		}
		info, err := os.Stat(filepath.Join(dir, databaseName+"-wal"))
		must(t, err)
		return info.Size()
	}
	if logged := write(40); logged < checkpointFrom*page || logged > (checkpointFrom+checkpointStep)*page {
		t.Errorf("after 40 MiB the log has %d bytes", logged)
	}
	reader := <-s.readers
	must(t, reader.atOnce(func() error {
		if _, err := reader.number("SELECT count(*) FROM message"); err != nil {
			return err
		}
		if logged := write(24); logged < 24<<20 {
			t.Errorf("while somebody reads, the log has %d bytes after another 24 MiB: what is read was taken away", logged)
		}
		return nil
	}))
	s.readers <- reader
	before := write(8)
	if after := write(24); after > before {
		t.Errorf("after the reader the log has grown from %d bytes to %d", before, after)
	}
}
