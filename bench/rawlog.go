package main

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// rawLog is the least that a durable queue can do: records appended to a file
// whose room is there already, written and synced together for all who wait. It
// keeps no order, finds nothing and gives nothing back.
type rawLog struct {
	file    *os.File
	size    int64
	at      int64
	records chan rawRecord
	ended   sync.WaitGroup
	waiting []chan error
	buffer  []byte
}

type rawRecord struct {
	data []byte
	done chan error
}

// rawRecordBytes is a message with what else is kept of it.
const rawRecordBytes = payloadBytes + 128

func newRawLog(dir string, size int64) (*rawLog, error) {
	file, err := os.Create(filepath.Join(dir, "raw.log")) //nolint:gosec // where the caller says
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for range size / int64(len(zeros)) {
		if _, err := file.Write(zeros); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	l := &rawLog{file: file, size: size, records: make(chan rawRecord, 4096)}
	l.ended.Go(l.run)
	return l, file.Sync()
}

// append returns once the record is on disk.
func (l *rawLog) append(record []byte, done chan error) error {
	l.records <- rawRecord{record, done}
	return <-done
}

func (l *rawLog) run() {
	for first := range l.records {
		l.waiting, l.buffer = append(l.waiting[:0], first.done), append(l.buffer[:0], first.data...)
		l.gather()
		err := l.write()
		for _, done := range l.waiting {
			done <- err
		}
	}
}

func (l *rawLog) gather() {
	for {
		select {
		case next, ok := <-l.records:
			if !ok {
				return
			}
			l.waiting, l.buffer = append(l.waiting, next.done), append(l.buffer, next.data...)
		default:
			return
		}
	}
}

func (l *rawLog) write() error {
	if l.at+int64(len(l.buffer)) > l.size {
		l.at = 0
	}
	if _, err := l.file.WriteAt(l.buffer, l.at); err != nil {
		return err
	}
	l.at += int64(len(l.buffer))
	return syncData(l.file)
}

func (l *rawLog) close() error {
	close(l.records)
	l.ended.Wait()
	return l.file.Close()
}
