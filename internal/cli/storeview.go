package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/outrider-go/outrider/queue/sqlitequeue"
)

// maxDamaged is how many damaged messages are shown; --json has them all.
const maxDamaged = 20

func writeStoreInfo(c *console, info *sqlitequeue.Info, now time.Time) error {
	n := &info.Counts
	use := "not in use"
	if info.InUse {
		use = "a process has it"
	}
	for _, line := range []struct{ name, value string }{
		{"directory", info.Dir},
		{"state", use},
		{"schema", fmt.Sprint("version ", info.Schema)},
		{"database", fmt.Sprintf("%s, of which %s are unused", size(info.DatabaseBytes), size(info.FreeBytes))},
		{"log", size(info.LogBytes)},
		{"reserve", size(info.ReserveBytes)},
		{"waiting", fmt.Sprintf("%d pending, %d for retry (%s)", n.Pending, n.Retry, size(n.Bytes))},
		{"done", fmt.Sprintf("%d delivered, %d dead, %d cancelled, %d expired", n.Delivered, n.Dead, n.Cancelled, n.Expired)},
		{"lanes", fmt.Sprint(info.Lanes)},
		{"oldest", ago(info.Oldest, now)},
	} {
		if line.value == "" {
			line.value = "-"
		}
		if err := c.printf("%-10s %s", line.name, oneLine(line.value)); err != nil {
			return err
		}
	}
	return nil
}

// writeReport tells what a check has found. That something is wrong is its error.
func writeReport(c *console, report *sqlitequeue.Report, asJSON bool) error {
	var err error
	if asJSON {
		err = c.json(struct {
			OK bool `json:"ok"`
			*sqlitequeue.Report
		}{report.OK(), report})
	} else {
		err = writeFindings(c, report)
	}
	if err == nil && !report.OK() {
		err = fmt.Errorf("the store is damaged: %s", advice(report))
	}
	return err
}

// advice says what to do about a store that is not whole.
func advice(report *sqlitequeue.Report) string {
	if len(report.Integrity) > 0 || len(report.Unreadable) > 0 {
		return "restore a backup, or save what can be read with outrider store export, and import it into an empty directory"
	}
	if r := &report.Repaired; len(r.Ended) > 0 || r.Tallies+r.Turns+r.Found > 0 {
		return "this is left after the repair"
	}
	return "outrider store check --repair mends what can be without losing anything"
}

func writeFindings(c *console, report *sqlitequeue.Report) error {
	lines := []string{fmt.Sprintf("checked %s in schema version %d", count(report.Counts.Messages(), "message"), report.Schema)}
	add := func(n int, format string, args ...any) {
		if n > 0 {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	repaired := &report.Repaired
	add(len(repaired.Ended), "repaired: %s could not be delivered and is dead now: %s", count(len(repaired.Ended), "damaged message"), joinIDs(repaired.Ended))
	add(int(repaired.Tallies), "repaired: %s counted again", count(repaired.Tallies, "lane"))
	add(int(repaired.Turns), "repaired: the turn in %s", count(repaired.Turns, "ordering key"))
	add(int(repaired.Found), "repaired: %s found again that waited", count(repaired.Found, "message"))
	for _, fault := range report.Integrity {
		lines = append(lines, "file: "+fault)
	}
	for _, fault := range report.Unreadable {
		lines = append(lines, "unreadable: "+fault)
	}
	for i := range report.Damaged[:min(len(report.Damaged), maxDamaged)] {
		d := &report.Damaged[i]
		lines = append(lines, fmt.Sprintf("damaged: %s %s: %s", d.ID, strings.TrimSpace(string(d.Result)), d.Fault))
	}
	add(len(report.Damaged)-maxDamaged, "damaged: %d more; --json lists them all", len(report.Damaged)-maxDamaged)
	add(len(report.Tallies), "wrong: %s counted otherwise than their messages", count(len(report.Tallies), "lane"))
	add(int(report.Turns), "wrong: not exactly one message has the turn in %s", count(report.Turns, "ordering key"))
	add(int(report.Lost), "wrong: %s would wait for ever", count(report.Lost, "message"))
	add(int(report.OrphanContents), "left over: %s without a message; they do no harm", count(report.OrphanContents, "content"))
	add(int(report.OrphanAttempts), "left over: %s without a message; they do no harm", count(report.OrphanAttempts, "attempt"))
	if report.OK() {
		lines = append(lines, "all is well")
	}
	for _, line := range lines {
		if err := c.printf("%s", oneLine(line)); err != nil {
			return err
		}
	}
	return nil
}

func joinIDs[T fmt.Stringer](ids []T) string {
	var all []string
	for _, id := range ids[:min(len(ids), maxDamaged)] {
		all = append(all, id.String())
	}
	if len(ids) > maxDamaged {
		all = append(all, "...")
	}
	return strings.Join(all, ", ")
}
