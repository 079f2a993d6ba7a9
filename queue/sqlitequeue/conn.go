package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// conn is a connection to the database, with the statements it has prepared. One
// goroutine uses it at a time.
type conn struct {
	driver     driver.Conn
	statements map[string]*statement
}

type statement struct {
	driver.StmtExecContext
	driver.StmtQueryContext
	close func() error
	args  []driver.NamedValue
	row   []driver.Value
}

// connect opens a connection and makes the settings.
func connect(path string, settings ...string) (*conn, error) {
	absolute, err := filepath.Abs(path) // SQLite takes the first name of a relative path for a host
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	dsn := url.URL{Scheme: "file", Path: absolute}
	opened, err := (&sqlite.Driver{}).Open(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	c := &conn{driver: opened, statements: map[string]*statement{}}
	if err := c.set(settings...); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), c.close())
	}
	return c, nil
}

func (c *conn) set(settings ...string) error {
	for _, setting := range settings {
		if err := c.script(setting); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	return nil
}

func (c *conn) close() error {
	var faults []error
	for _, s := range c.statements {
		faults = append(faults, s.close())
	}
	return errors.Join(append(faults, c.driver.Close())...)
}

// prepare returns the statement for a query, which it keeps.
func (c *conn) prepare(query string) (*statement, error) {
	if s := c.statements[query]; s != nil {
		return s, nil
	}
	prepared, err := c.driver.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	s := &statement{close: prepared.Close}
	var executes, queries bool
	s.StmtExecContext, executes = prepared.(driver.StmtExecContext)
	s.StmtQueryContext, queries = prepared.(driver.StmtQueryContext)
	if !executes || !queries {
		return nil, errors.Join(errors.New("the SQLite driver has no contexts"), s.close())
	}
	c.statements[query] = s
	return s, nil
}

func (s *statement) bind(args []any) []driver.NamedValue {
	s.args = s.args[:0]
	for i, arg := range args {
		if n, ok := arg.(int); ok {
			arg = int64(n)
		}
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	return s.args
}

// exec runs a query that has no answer.
func (c *conn) exec(query string, args ...any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background(), s.bind(args))
	clear(s.args)
	return err
}

// script runs statements that are used once.
func (c *conn) script(text string) error { return c.scriptIn(context.Background(), text) }

// scriptIn is script for statements that take long: the end of ctx stops them.
func (c *conn) scriptIn(ctx context.Context, text string) error {
	prepared, err := c.driver.Prepare(text)
	if err != nil {
		return err
	}
	execer, ok := prepared.(driver.StmtExecContext)
	if !ok {
		return errors.Join(errors.New("the SQLite driver has no contexts"), prepared.Close())
	}
	_, err = execer.ExecContext(ctx, nil)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return errors.Join(err, prepared.Close())
}

// errEnough, from the function given to query, leaves out the other rows.
var errEnough = errors.New("enough")

// query runs each on the rows of the answer. What it is given is its own only
// until it returns, but for the bytes of blobs and texts.
func (c *conn) query(query string, each func(row []driver.Value) error, args ...any) (err error) {
	return c.queryIn(context.Background(), query, each, args...)
}

// queryIn is query where the answer takes long: the end of ctx stops it.
func (c *conn) queryIn(ctx context.Context, query string, each func(row []driver.Value) error, args ...any) (err error) {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, s.bind(args))
	clear(s.args)
	if err != nil {
		return firstOf(ctx.Err(), err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if columns := len(rows.Columns()); len(s.row) != columns {
		s.row = make([]driver.Value, columns)
	}
	for {
		switch err := firstOf(ctx.Err(), rows.Next(s.row)); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch err := each(s.row); {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return err
		}
	}
}

// number runs a query whose answer is one number; no row and NULL are 0.
func (c *conn) number(query string, args ...any) (int64, error) {
	var n int64
	err := c.query(query, func(row []driver.Value) error {
		n = integer(row[0])
		return nil
	}, args...)
	return n, err
}

// text runs a query whose answer is one text.
func (c *conn) text(query string) (string, error) {
	var t string
	err := c.query(query, func(row []driver.Value) error {
		t = fmt.Sprint(row[0])
		return nil
	})
	return t, err
}

// The values of a row. NULL is the zero value.
func integer(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func text(v driver.Value) string {
	t, _ := v.(string)
	return t
}

// blob takes a text for what it was written as: a bit of the row says which it is.
func blob(v driver.Value) []byte {
	if t, is := v.(string); is {
		return []byte(t)
	}
	b, _ := v.([]byte)
	return b
}

// code returns the SQLite result code of an error; 0 is none of SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// isFull reports whether an error says that the disk is full, be it for the index of
// the write-ahead log. That a quota or a limit of the process is used up (EDQUOT,
// EFBIG) is a failed write to SQLite, and so it is to the store.
func isFull(err error) bool {
	is := code(err)
	return is&0xff == sqlite3.SQLITE_FULL || is == sqlite3.SQLITE_IOERR_SHMSIZE
}
