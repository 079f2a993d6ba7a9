package sqlitequeue

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/outrider-go/outrider/queue"
)

// TestLogStaysShort: what is committed gets into the database, so that the log does
// not grow with it; while somebody reads the database as it was, it does.
func TestLogStaysShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // nothing ages meanwhile
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
		must(t, s.Close(t.Context()))
	})
}

// TestReserveIsMoreThanTheLog: whatever the log has fits into the database, on a disk
// without room, for the reserve is given up for it. A log that was long once leaves no
// large reserve behind.
func TestReserveIsMoreThanTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testOpen(t, dir, Options{})
	sizes := func() (log, reserve int64) {
		return fileSize(filepath.Join(dir, databaseName+"-wal")), fileSize(filepath.Join(dir, reserveName))
	}
	reader := <-s.readers
	must(t, reader.atOnce(func() error {
		if _, err := reader.number("SELECT count(*) FROM message"); err != nil {
			return err
		}
		for _, megabytes := range []int{1, 3, 5, 70} {
			batch := make([]queue.Message, megabytes)
			for i := range batch {
				batch[i] = testMessage(s, "")
				batch[i].Payload = bytes.Repeat([]byte("x"), 1<<20)
			}
			testEnqueue(t, s, batch...)
			if log, reserve := sizes(); log < int64(megabytes)<<20 || reserve < log+reserveStep/2 {
				t.Errorf("a log of %d bytes, and a reserve of %d", log, reserve)
			}
		}
		return nil
	}))
	s.readers <- reader
	must(t, s.Close(t.Context()))
	must(t, testOpen(t, dir, Options{}).Close(t.Context())) // all of it is written into the tables
	testOpen(t, dir, Options{})
	if log, reserve := sizes(); log > 1<<20 || reserve != reserveBytes {
		t.Errorf("after it was opened again: a log of %d bytes, and a reserve of %d", log, reserve)
	}
}

func TestZerosTakeRoom(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "zeros"))
	must(t, err)
	defer func() { must(t, file.Close()) }()
	for _, part := range []struct{ from, to int64 }{{0, 3<<20 + 5}, {3<<20 + 5, 4 << 20}} {
		must(t, writeZeros(file, part.from, part.to))
		if size := fileSize(file.Name()); size != part.to {
			t.Errorf("%d bytes, want %d", size, part.to)
		}
	}
}
