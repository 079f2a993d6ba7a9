package outbound

import (
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/transport"
)

// CodeReplyNotTaken is the code of an attempt whose payload arrived and whose answer
// nobody took: it is made again, for the answer.
const CodeReplyNotTaken = "reply_not_taken"

// TakeReply is for transports: it has the answer to a delivered message taken by
// somebody else's callback. An error of that is one of the attempt, of which the
// receipt stays true; the caller adds where to. A panic is none, since the next
// attempt would most likely meet it again: it is logged, and noted on the receipt.
func TakeReply(receipt *Receipt, log *zap.Logger, take func() error) (fault *DeliveryError) {
	defer func() {
		if value := recover(); value != nil {
			fault = nil
			receipt.Note = fmt.Sprintf("the answer is lost: OnReply panicked with a %T", value)
			log.Error("the answer to a message is lost: OnReply panicked",
				zap.String("value", fmt.Sprintf("%T", value)), zap.ByteString("stack", debug.Stack()))
		}
	}()
	err := take()
	if err == nil {
		return nil
	}
	_ = err.Error() // which may panic: where it does no harm
	return &DeliveryError{
		Op: "take the answer", Class: transport.Unknown, MaybeSent: true, Code: CodeReplyNotTaken, Response: receipt.Response, Err: err,
	}
}
