package cli

import (
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/transport/outbound"
)

// waits says what holds a message back beyond its own time; empty: nothing does.
func waits(m *agent.MessageView, now time.Time) string {
	until := instant(m.WaitingUntil, now)
	switch m.WaitingFor {
	case "":
		return ""
	case outbound.WaitingForResume:
		return "its destination is paused until " + orResumed(until)
	case outbound.WaitingForRecovery:
		if until == "" {
			return "its destination fails, and another message is attempted first"
		}
		return "its destination fails, and is left alone until " + until
	case outbound.WaitingForRate:
		return "its destination has had the attempts that its rate allows"
	case outbound.WaitingForRecipient:
		return "its recipient is away"
	case outbound.WaitingForTurn:
		return "another message with its ordering key is before it"
	default: // of a newer daemon
		return string(m.WaitingFor)
	}
}

// orResumed is when a pause ends; empty is that of one that nobody has set an end.
func orResumed(until string) string {
	if until == "" {
		return "it is resumed"
	}
	return until
}

// nextCell says in a few words when a message is attempted next, and what it waits
// for until then.
func nextCell(m *agent.MessageView, now time.Time) string {
	word := string(m.WaitingFor)
	switch m.WaitingFor {
	case outbound.WaitingForResume:
		word = "paused"
	case outbound.WaitingForRecovery:
		word = "failing"
	case outbound.WaitingForRate:
		word = "rate"
	case outbound.WaitingForRecipient:
		word = "recipient away"
	case outbound.WaitingForTurn:
		word = "behind another"
	}
	return joinNonEmpty(", ", word, ago(nextAttempt(m, now), now))
}

// nextAttempt is when a message is attempted next. What was due before is due now.
func nextAttempt(m *agent.MessageView, now time.Time) time.Time {
	if !m.NextAttemptAt.IsZero() && m.NextAttemptAt.Before(now) {
		return now
	}
	return m.NextAttemptAt
}
