package sqlitequeue

import (
	"context"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// Purge implements queue.Store.
func (s *Store) Purge(ctx context.Context, r queue.Retention, limit int) (removed int, more bool, err error) {
	end := statusOf(r.Result)
	if end == fresh {
		return 0, false, fmt.Errorf("purge: unknown result %q", r.Result)
	}
	for {
		var n int
		part := min(limit-removed, purgeStep)
		err = s.exclusively(ctx, func(t *tx) error {
			n, more, err = t.purge(end, r, part)
			return err
		})
		if err != nil {
			return removed, false, err
		}
		if removed += n; !more || removed >= limit {
			return removed, more, nil
		}
	}
}

// purgeStep is how many records are removed in one transaction: others wait for it.
const purgeStep = 200

func (t *tx) purge(end status, r queue.Retention, limit int) (removed int, more bool, err error) {
	if err := t.dropSpent(); err != nil { // or what is forgotten is in the log still
		return 0, false, err
	}
	p, err := t.newPurge(end, r, limit)
	if err != nil {
		return 0, false, err
	}
	for p.unwanted() {
		if p.removed == limit {
			return limit, true, nil
		}
		if err := p.step(limit); err != nil {
			return p.removed, false, err
		}
	}
	return p.removed, false, nil
}

// purge is what there is to remove: rows of the tables and runs of the history, of
// which the one that begins first is next.
type purge struct {
	*tx
	retention   queue.Retention
	before      int64
	count, held int64 // that are left
	removed     int
	rows        []row
	runs        []run
}

func (t *tx) newPurge(end status, r queue.Retention, limit int) (*purge, error) {
	s := t.s
	s.mu.Lock()
	p := &purge{tx: t, retention: r, before: toWall(r.Before), count: s.total.done[end-delivered], held: s.total.held[end-delivered]}
	s.mu.Unlock()
	if end == delivered {
		p.runs = slices.Clone(s.allRuns())
	}
	var err error
	p.rows, err = t.endedFirst(end, limit+1)
	return p, err
}

// ended is when the next one ended.
func (p *purge) ended() (at int64, inRun, some bool) {
	switch {
	case len(p.runs) > 0 && (len(p.rows) == 0 || p.runs[0].at <= p.rows[0].updated):
		return p.runs[0].at, true, true
	case len(p.rows) > 0:
		return p.rows[0].updated, false, true
	}
	return 0, false, false
}

// unwanted reports whether the next one is to be removed.
func (p *purge) unwanted() bool {
	at, _, some := p.ended()
	return some && p.isUnwanted(at)
}

func (p *purge) isUnwanted(at int64) bool {
	r := &p.retention
	return at < p.before || r.Keep > 0 && p.count > int64(r.Keep) || r.Bytes > 0 && p.held > r.Bytes
}

// step removes the next row, or what is unwanted of the next run.
func (p *purge) step(limit int) error {
	if _, inRun, _ := p.ended(); inRun {
		return p.stepRun(limit)
	}
	r := p.rows[0]
	p.rows = p.rows[1:]
	p.removed++
	p.count--
	p.held -= r.bytes
	return p.remove(&r)
}

func (p *purge) stepRun(limit int) error {
	all, err := p.c.records(p.runs[0].n, nil)
	if err != nil {
		return err
	}
	n := 0
	for ; n < len(all) && p.removed < limit && p.isUnwanted(all[n].updated); n++ {
		if err := p.dropLogOf(all[n].seq); err != nil {
			return err
		}
		l := p.s.laneOf(&all[n].row)
		if err := p.outlive(&all[n].row, l); err != nil {
			return err
		}
		p.tx.count(l, &all[n].row, -1)
		if err := p.removeEmpty(l); err != nil {
			return err
		}
		p.removed++
		p.count--
	}
	if err := p.rewrite(p.runs[0], all[n:]); err != nil {
		return err
	}
	if n < len(all) {
		p.runs[0].at = all[n].updated
		p.runs[0].count -= n
	} else {
		p.runs = p.runs[1:]
	}
	return nil
}

// endedFirst are the rows with a result that ended longest ago.
func (t *tx) endedFirst(end status, limit int) (rows []row, err error) {
	err = t.c.rows("INDEXED BY ended WHERE status = ? AND status > 3 ORDER BY updated, seq LIMIT ?", func(r row) error {
		rows = append(rows, r)
		return nil
	}, int64(end), limit)
	return rows, err
}

// remove forgets a record that is done.
func (t *tx) remove(r *row) error {
	if err := t.dropLogOf(r.seq); err != nil {
		return err
	}
	l := t.s.laneOf(r)
	if err := t.outlive(r, l); err != nil {
		return err
	}
	t.count(l, r, -1)
	queries := []string{"DELETE FROM message WHERE seq = ?"}
	if r.logged > 1 {
		queries = append(queries, "DELETE FROM attempt WHERE seq = ?")
	}
	for _, query := range queries {
		if err := t.c.exec(query, r.seq); err != nil {
			return err
		}
	}
	if err := t.dropContentsOf(r.seq, r.seq); err != nil {
		return err
	}
	return t.removeEmpty(l)
}
