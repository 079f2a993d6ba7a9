//go:build unix

package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/ci"
	"github.com/outrider-go/outrider/internal/verify"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
)

// taped are the calls that change files. Of those that a daemon is not known to
// make, the first one fails the trial.
const taped = "open,openat,creat,mkdir,mkdirat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2,writev,pwritev,pwritev2,fallocate,copy_file_range,sendfile"

// powerFails records all that daemons ask of a disk and all that they answer, and
// then rebuilds what the disk may hold when the power fails at some instant: what
// was fsynced, and of the rest any part. Each message that was answered with 202
// before that instant is to be there.
func powerFails(t *testing.T, program string) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		ci.Missing(t, "strace is not installed")
	}
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
	var steps []step
	for life := range 3 { // a store that is closed, and opened again
		tape := filepath.Join(t.TempDir(), "tape")
		d := tr.start([]string{path, "-f", "-qqq", "-y", "-xx", "-s", "4194304", "-o", tape, "-e", "trace=" + taped},
			"OUTRIDER_RETAIN_DELIVERED_COUNT=0")
		tr.accept(d, 60+effort(300))
		if life == 1 {
			tr.fillLog(d)
			tr.accept(d, 60)
		}
		if life == 2 {
			tr.crash(d)
		} else {
			stopTraced(t, d)
		}
		file, err := os.Open(tape)
		if err != nil {
			t.Fatal(err)
		}
		more, err := readTape(file)
		_ = file.Close()
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, more...)
	}
	failures := failAt(len(steps), effort(200))
	replay(t, steps, filepath.Dir(tr.dir), failures)
}

// fillLog sends, to where nobody listens, more than the write-ahead log has before it
// is put into the database and begun anew.
func (tr *trial) fillLog(d *verify.Daemon) {
	tr.Helper()
	for n := range 20 {
		request := agent.SendRequest{Endpoint: "http://127.0.0.1:1/", Retry: "none", PayloadBase64: verify.Payload(fmt.Sprintf("large-%d", n), 1000<<10)}
		if _, err := d.Client.Send(tr.Context(), request); err != nil {
			tr.Fatal(err)
		}
	}
}

// stopTraced stops a daemon behind strace, which keeps such signals for itself.
func stopTraced(t *testing.T, d *verify.Daemon) {
	t.Helper()
	if err := syscall.Kill(-d.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "it stops", func() bool {
		select {
		case <-d.Exited():
			return true
		default:
			return false
		}
	})
	if code := d.ExitCode(); code != 0 {
		t.Errorf("exit code %d: %s", code, d.Stderr())
	}
}

// failAt chooses instants.
func failAt(steps, n int) map[int]bool {
	random := rand.New(rand.NewPCG(*seed, 2))
	at := map[int]bool{steps - 1: true}
	for range n {
		at[random.IntN(steps)] = true
	}
	return at
}

// replay follows the tape, and has the power fail now and then.
func replay(t *testing.T, steps []step, dir string, failures map[int]bool) {
	t.Helper()
	random := rand.New(rand.NewPCG(*seed, 3))
	d := newDisk(dir)
	var answered []transport.ID
	checked, logs := 0, 0
	for i := range steps {
		if steps[i].ended && steps[i].call == "pwrite64" && steps[i].at == 0 && strings.HasSuffix(steps[i].path, "-wal") {
			logs++ // its header
		}
		if err := d.do(&steps[i]); err != nil {
			t.Fatal(err)
		}
		if !steps[i].ended && steps[i].call == "write" {
			answered = append(answered, accepted(steps[i].data)...)
		}
		if !failures[i] {
			continue
		}
		into := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.MkdirAll(into, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := d.lose(into, random); err != nil {
			t.Fatal(err)
		}
		if err := checkAfter(t, filepath.Join(into, "queue"), answered); err != nil {
			t.Errorf("the power fails at step %d of %d, %d messages were answered: %v", i, len(steps), len(answered), err)
		}
		checked++
		if err := os.RemoveAll(into); err != nil {
			t.Fatal(err)
		}
	}
	if len(answered) == 0 || logs < 4 { // one for each life
		t.Errorf("%d messages were answered, and the log was begun %d times: the trial says too little", len(answered), logs)
	}
	t.Logf("%d power failures over %d steps and %d answers; the log was begun %d times", checked, len(steps), len(answered), logs)
}

var idInAnswer = regexp.MustCompile(`"id":"([0-9a-f-]{36})"`)

// accepted returns the ids in an answer of 202.
func accepted(answer []byte) []transport.ID {
	if !strings.HasPrefix(string(answer), "HTTP/1.1 202 ") {
		return nil
	}
	var ids []transport.ID
	for _, m := range idInAnswer.FindAllSubmatch(answer, -1) {
		if id, err := transport.ParseID(string(m[1])); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// checkAfter opens what is left of a store, and looks for messages in it.
func checkAfter(t *testing.T, dir string, answered []transport.ID) (err error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	store, err := sqlitequeue.Open(ctx, dir, sqlitequeue.Options{OnFault: func(err error) { t.Error(err) }})
	if err != nil {
		return err
	}
	defer func() {
		if closed := store.Close(ctx); err == nil {
			err = closed
		}
	}()
	records, err := store.Get(ctx, answered, true)
	if err != nil {
		return err
	}
	known := map[transport.ID]*queue.Record{}
	for i := range records {
		known[records[i].ID] = &records[i]
	}
	for _, id := range answered {
		record := known[id]
		if record == nil {
			return fmt.Errorf("%s is lost", id)
		}
		if record.Result == queue.Delivered {
			continue
		}
		if _, intact := verify.ReadPayload(record.Payload); !intact {
			return fmt.Errorf("%s has another payload", id)
		}
	}
	return nil
}
