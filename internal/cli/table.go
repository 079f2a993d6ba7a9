package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table is aligned text: a header and rows of cells.
type table struct {
	style   style
	columns []column
	rows    [][]cell
}

// column is the head of a column. A title that starts with ">" aligns it right.
type column string

func (c column) title() string { return strings.TrimPrefix(string(c), ">") }
func (c column) right() bool   { return strings.HasPrefix(string(c), ">") }

// cell is a text and how it is painted; nil leaves it plain.
type cell struct {
	text  string
	paint func(string) string
}

// plain makes cells without colour.
func plain(texts ...string) []cell {
	cells := make([]cell, len(texts))
	for i, text := range texts {
		cells[i].text = text
	}
	return cells
}

func newTable(s style, columns ...column) *table { return &table{style: s, columns: columns} }

// add appends a row. A text that is empty shows as "-".
func (t *table) add(cells ...cell) {
	row := make([]cell, len(t.columns))
	for i := range row {
		if i < len(cells) {
			row[i] = cells[i]
		}
		if row[i].text == "" {
			row[i].text = "-"
		}
	}
	t.rows = append(t.rows, row)
}

// writeTo writes the table, each line after the indent.
func (t *table) writeTo(w io.Writer, indent string) error {
	header := make([]cell, len(t.columns))
	for i, c := range t.columns {
		header[i] = cell{c.title(), t.style.dim}
	}
	lines := append([][]cell{header}, t.rows...)
	widths := make([]int, len(t.columns))
	for _, line := range lines {
		for i, c := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(indent)
		for i, c := range line {
			t.writeCell(&b, i, c, widths[i])
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCell pads outside the colour, and leaves no space at the end of a line.
func (t *table) writeCell(b *strings.Builder, i int, c cell, width int) {
	text := c.text
	if c.paint != nil {
		text = c.paint(text)
	}
	padding := strings.Repeat(" ", width-utf8.RuneCountInString(c.text))
	switch last := i == len(t.columns)-1; {
	case t.columns[i].right():
		b.WriteString(padding + text)
	case last:
		b.WriteString(text)
	default:
		b.WriteString(text + padding)
	}
	if i < len(t.columns)-1 {
		b.WriteString("  ")
	}
}
