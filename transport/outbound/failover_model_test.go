package outbound

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// failoverModel does what RetryPolicy.after promises, and remembers instead of
// reading a log.
type failoverModel struct {
	policy   RetryPolicy
	targets  int
	failed   map[int]bool
	tries    int // at the target
	attempts int
	steps    int
	target   int
}

// fail is an attempt that failed. It returns the wait, and false when the message
// is dead.
func (m *failoverModel) fail(class transport.Class, gone bool, down [maxTargets]bool) (time.Duration, bool) {
	m.attempts++
	m.tries++
	if class == transport.Permanent {
		m.failed[m.target] = true
	}
	if m.attempts == m.policy.MaxAttempts || len(m.failed) == m.targets {
		return 0, false
	}
	before := m.target
	if class == transport.Permanent || gone || m.tries >= m.policy.FailoverAfter {
		m.target = m.following(func(target int) bool { return !m.failed[target] && !down[target] },
			func(target int) bool { return !m.failed[target] })
	}
	if m.target != before {
		m.tries = 0
	}
	if m.target > before {
		return 0, true
	}
	m.steps++
	return m.policy.wait(m.steps), true
}

// following is the next target, round and round, that the first rule allows which
// allows any.
func (m *failoverModel) following(rules ...func(target int) bool) int {
	for _, rule := range rules {
		for i := 1; i <= m.targets; i++ {
			if target := (m.target + i) % m.targets; rule(target) {
				return target
			}
		}
	}
	return m.target
}

// TestFailoverModel makes a message fail at random and compares what the policy
// says from the log with what a model says from memory.
func TestFailoverModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := RetryPolicy{
			Base: time.Second, Factor: 2, Max: time.Hour,
			MaxAttempts:   rapid.IntRange(1, 60).Draw(t, "attempts"),
			FailoverAfter: rapid.IntRange(1, 4).Draw(t, "failover"),
		}
		model := failoverModel{policy: policy, targets: rapid.IntRange(2, 1+maxAlternates).Draw(t, "targets"), failed: map[int]bool{}}
		earlier := rapid.IntRange(0, 3).Draw(t, "attempts of an earlier life")
		var log []queue.Attempt
		for i := range earlier {
			log = append(log, queue.Attempt{N: i + 1, Class: transport.Permanent, Target: i % model.targets})
		}
		for {
			class := rapid.SampledFrom([]transport.Class{transport.Temporary, transport.Temporary, transport.Unknown, transport.Permanent}).Draw(t, "class")
			f := failure{
				target: model.target, targets: model.targets, attempt: model.attempts + 1,
				class: class, gone: rapid.IntRange(0, 9).Draw(t, "gone") == 0, past: log[earlier:],
			}
			for _, target := range rapid.SliceOfN(rapid.IntRange(0, maxTargets-1), 0, 3).Draw(t, "down") {
				f.down[target] = true
			}
			wait, target, again := policy.after(&f)
			log = append(log, queue.Attempt{N: len(log) + 1, Target: f.target, Class: class})
			wantWait, wantAgain := model.fail(class, f.gone, f.down)
			if again != wantAgain {
				t.Fatalf("after %+v: again %v, want %v", log, again, wantAgain)
			}
			if !again {
				return
			}
			if wait != wantWait || target != model.target {
				t.Fatalf("after %+v: target %d in %v, want %d in %v", log, target, wait, model.target, wantWait)
			}
		}
	})
}

// TestFailoverWithHolesInTheLog: a store may drop what is in the middle of a log,
// and a message may have been kept by a program that allowed other targets.
func TestFailoverWithHolesInTheLog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := RetryPolicy{Base: time.Second, MaxAttempts: 1000}
		f := failure{
			targets: rapid.IntRange(2, 20).Draw(t, "targets"), attempt: rapid.IntRange(1, 999).Draw(t, "attempt"),
			class: rapid.SampledFrom([]transport.Class{transport.Temporary, transport.Permanent}).Draw(t, "class"),
		}
		f.target = rapid.IntRange(0, f.targets-1).Draw(t, "target")
		for range rapid.IntRange(0, 50).Draw(t, "entries") {
			f.past = append(f.past, queue.Attempt{
				Target: rapid.IntRange(-1, 20).Draw(t, "was at"),
				Class:  rapid.SampledFrom([]transport.Class{transport.Temporary, transport.Permanent}).Draw(t, "was"),
			})
		}
		wait, target, again := policy.after(&f)
		if !again && f.class != transport.Permanent {
			t.Fatalf("given up after %+v", f)
		}
		if again && (target < 0 || target >= f.targets || wait < 0 || target <= f.target && wait == 0) {
			t.Fatalf("target %d in %v after %+v", target, wait, f)
		}
		if again && target == f.target && f.class == transport.Permanent && f.target <= maxAlternates {
			t.Fatalf("again where it failed for good, after %+v", f)
		}
	})
}

func TestFailoverAfterOneTarget(t *testing.T) {
	t.Parallel()
	policy := StandardRetry()
	policy.Jitter = 0
	for name, c := range map[string]struct {
		failure failure
		wait    time.Duration
		again   bool
	}{
		"temporary":           {failure{attempt: 1, class: transport.Temporary}, 5 * time.Second, true},
		"third":               {failure{attempt: 3, class: transport.Temporary}, 30 * time.Minute, true},
		"permanent":           {failure{attempt: 1, class: transport.Permanent}, 0, false},
		"last":                {failure{attempt: 10, class: transport.Temporary}, 0, false},
		"retry after":         {failure{attempt: 1, class: transport.Throttled, retryAfter: time.Hour}, time.Hour, true},
		"retry after is old":  {failure{attempt: 1, class: transport.Throttled, retryAfter: day, age: 4*day + 1}, 0, false},
		"as old as may be":    {failure{attempt: 1, class: transport.Throttled, retryAfter: day, age: 4 * day}, day, true},
		"failover is due":     {failure{attempt: 2, targets: 2, class: transport.Temporary, past: []queue.Attempt{{}}}, 5 * time.Minute, true},
		"old and has another": {failure{attempt: 1, targets: 2, class: transport.Permanent, age: 5*day + 1}, 0, false},
	} {
		wait, target, again := policy.after(&c.failure)
		if again != c.again || again && (wait != c.wait || target != 0) {
			t.Errorf("%s: target %d in %v, %v; want %v, %v", name, target, wait, again, c.wait, c.again)
		}
	}
}
