package archive

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
)

// ErrFormat says that a file is not what Export has written, or not all of it.
var ErrFormat = errors.New("not a whole export of a store")

const (
	fileKind    = "outrider export"
	fileVersion = 1
)

// progressStep is after how many messages Progress is called.
const progressStep = 1000

// line is one line of the file: one of its fields is set.
type line struct {
	Kind    string   `json:"kind,omitempty"` // with Version, the first line
	Version int      `json:"version,omitempty"`
	Lane    *lane    `json:"lane,omitempty"`
	Message *message `json:"message,omitempty"`
	End     *end     `json:"end,omitempty"`
}

// end is the last line.
type end struct {
	Lanes    int64 `json:"lanes"`
	Messages int64 `json:"messages"`
}

// Summary says what was written or read.
type Summary struct {
	Messages int64 `json:"messages"`
	Lanes    int64 `json:"lanes"` // with a state
	// Lost are the messages whose content could not be read, or opened.
	Lost int64 `json:"lost"`
	// Damaged are those of them that wait, and are not what was written.
	Damaged int64 `json:"damaged"`
	// Missing are the messages of which nothing could be read, as far as the store has
	// counted them.
	Missing int64 `json:"missing"`
	// Skipped are the messages of which it is not known where they were to go.
	Skipped int64 `json:"skipped"`
	// Unreadable are parts of the store that could not be read at all.
	Unreadable []string `json:"unreadable,omitempty"`
}

// Whole reports whether an export has all that the store keeps. Where a data key was
// shredded, and where a damaged message has ended as dead, nothing is missing that
// could be.
func (s *Summary) Whole() bool {
	return s.Damaged+s.Missing+s.Skipped == 0 && len(s.Unreadable) == 0
}

// Filter selects messages. The zero value selects all.
type Filter struct {
	Profile string
	States  []queue.State
	Results []queue.Result
	Since   time.Time // updated at or after
}

func (f *Filter) wants(r *queue.Record) bool {
	return (f.Profile == "" || f.Profile == r.Lane.Profile) &&
		(len(f.States) == 0 || slices.Contains(f.States, r.State)) &&
		(len(f.Results) == 0 || slices.Contains(f.Results, r.Result)) &&
		!r.UpdatedAt.Before(f.Since)
}

// Options of [Export] and [Import]. The zero value works.
type Options struct {
	// Keys open the messages of a sealed store, and seal those that are imported.
	// Default: none; what is sealed is then an error.
	Keys *keyring.Keyring
	// Filter selects what is exported. Default: all.
	Filter Filter
	// Progress is told how many messages are done, every thousand. Default: nobody.
	Progress func(done int64)
}

func (o *Options) progress(done int64) {
	if o.Progress != nil && done%progressStep == 0 {
		o.Progress(done)
	}
}

// Export writes what a snapshot has. What is damaged, or can no longer be opened,
// is written without its content, and counted; what cannot be read is left out, and
// the file is whole without it.
func Export(ctx context.Context, from *sqlitequeue.Snapshot, to io.Writer, options Options) (sum Summary, err error) {
	buffer := bufio.NewWriter(to)
	out := json.NewEncoder(buffer)
	out.SetEscapeHTML(false)
	if err := out.Encode(line{Kind: fileKind, Version: fileVersion}); err != nil {
		return sum, err
	}
	for _, state := range from.Lanes() {
		if options.Filter.Profile != "" && options.Filter.Profile != state.Lane.Profile {
			continue
		}
		sum.Lanes++
		if err := out.Encode(line{Lane: laneLine(state)}); err != nil {
			return sum, err
		}
	}
	copier := sealqueue.NewCopier(options.Keys)
	err = from.Each(ctx, options.Filter.wants, func(s *sqlitequeue.Saved) error {
		if s.Lane.Profile == "" {
			sum.Skipped++
			return nil
		}
		if s.Fault != "" && s.Result == "" {
			sum.Damaged++
		}
		if err := open(ctx, copier, s); err != nil {
			return fmt.Errorf("message %s: %w", s.ID, err)
		}
		if s.Fault != "" {
			sum.Lost++
		}
		sum.Messages++
		options.progress(sum.Messages)
		m := messageOf(s)
		return out.Encode(line{Message: &m})
	})
	if err != nil {
		return sum, err
	}
	sum.Unreadable, sum.Missing = from.Unreadable(), from.Missing()
	if err := out.Encode(line{End: &end{sum.Lanes, sum.Messages}}); err != nil {
		return sum, err
	}
	return sum, buffer.Flush()
}

// open opens what is sealed of a message.
func open(ctx context.Context, copier *sealqueue.Copier, s *sqlitequeue.Saved) error {
	err := copier.Open(ctx, &s.Message)
	if sealqueue.IsLost(err) {
		s.Hide(err)
		err = nil
	}
	if err != nil {
		return err
	}
	return copier.OpenLog(ctx, s.ID, s.Lane.Profile, s.Log)
}

// Import reads a file into a store, and commits it once the file has ended as it
// should. After an error nothing of it is in the store.
func Import(ctx context.Context, from io.Reader, to *sqlitequeue.Importer, options Options) (Summary, error) {
	r := newReader(from, to, options)
	if err := r.readAll(ctx); err != nil {
		return r.sum, err
	}
	return r.sum, to.Commit(ctx)
}

// importer is what a reader needs of a sqlitequeue.Importer.
type importer interface {
	SetLane(state queue.LaneState) error
	Add(s *sqlitequeue.Saved) error
}

func newReader(from io.Reader, to importer, options Options) *reader {
	r := &reader{decoder: json.NewDecoder(bufio.NewReader(from)), to: to, options: options, copier: sealqueue.NewCopier(options.Keys)}
	r.decoder.DisallowUnknownFields()
	return r
}

type reader struct {
	decoder *json.Decoder
	to      importer
	copier  *sealqueue.Copier
	options Options
	sum     Summary
	number  int // of the line
}

func (r *reader) readAll(ctx context.Context) error {
	first, err := r.line()
	switch {
	case err != nil:
		return err
	case first.Kind != fileKind:
		return fmt.Errorf("%w: its first line does not say %q", ErrFormat, fileKind)
	case first.Version != fileVersion:
		return fmt.Errorf("%w: it has version %d, and this program knows version %d: use the program that wrote it", ErrFormat, first.Version, fileVersion)
	}
	for {
		next, err := r.line()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if next.End != nil {
			return r.checkEnd(next.End)
		}
		if err := r.add(ctx, &next); err != nil {
			return fmt.Errorf("line %d: %w", r.number, err)
		}
	}
}

func (r *reader) line() (line, error) {
	r.number++
	var l line
	err := r.decoder.Decode(&l)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return l, fmt.Errorf("%w: it ends in line %d", ErrFormat, r.number)
	case err != nil:
		return l, fmt.Errorf("%w: line %d: %w", ErrFormat, r.number, err)
	}
	return l, nil
}

func (r *reader) add(ctx context.Context, l *line) error {
	switch {
	case l.Lane != nil:
		r.sum.Lanes++
		return r.to.SetLane(queue.LaneState{
			Lane:        queue.Lane{Profile: string(l.Lane.Profile), Destination: string(l.Lane.Destination)},
			PausedUntil: l.Lane.PausedUntil, Reason: string(l.Lane.Reason), FailingSince: l.Lane.FailingSince,
		})
	case l.Message == nil:
		return fmt.Errorf("%w: it is neither a lane nor a message", ErrFormat)
	}
	s := l.Message.saved()
	if err := r.seal(ctx, s); err != nil {
		return fmt.Errorf("message %s: %w", s.ID, err)
	}
	if s.Fault != "" {
		r.sum.Lost++
	}
	r.sum.Messages++
	r.options.progress(r.sum.Messages)
	return r.to.Add(s)
}

// seal seals what a message has. A message of which only the record is left has
// nothing to seal, but for what was answered.
func (r *reader) seal(ctx context.Context, s *sqlitequeue.Saved) error {
	if sealqueue.IsSealed(s.URI) {
		return errors.New("its URI is none")
	}
	if s.Fault == "" && s.Result != queue.Delivered {
		if err := r.copier.Seal(ctx, &s.Message); err != nil {
			return err
		}
	}
	return r.copier.SealLog(ctx, s.ID, s.Lane.Profile, s.Log)
}

func (r *reader) checkEnd(e *end) error {
	if e.Messages != r.sum.Messages || e.Lanes != r.sum.Lanes {
		return fmt.Errorf("%w: it counts %d messages and %d lanes, and has %d and %d", ErrFormat, e.Messages, e.Lanes, r.sum.Messages, r.sum.Lanes)
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is something behind its end", ErrFormat)
	}
	return nil
}
