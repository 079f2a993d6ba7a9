package amqp1

import "context"

type Receiver struct{}

func (r *Receiver) Close(ctx context.Context) error { return nil }
