package awslambda

import (
	"context"
	"errors"
)

// Schedule runs tasks when EventBridge says so: what a process of your own
// does by timers, such as to sweep expired rows and to reconcile presence.
type Schedule struct {
	tasks []func(ctx context.Context) error
}

var _ handler = (*Schedule)(nil)

// NewSchedule returns a handler that runs the tasks, one after the other, at
// every scheduled event. ErrInvalid is returned without a task, or for one
// that is nil.
func NewSchedule(tasks ...func(ctx context.Context) error) (*Schedule, error) {
	if len(tasks) == 0 {
		return nil, invalid("a Schedule needs a task")
	}
	for i, task := range tasks {
		if task == nil {
			return nil, invalid("task %d is nil", i)
		}
	}
	return &Schedule{tasks: tasks}, nil
}

// Invoke runs all tasks, also when one fails, and returns their errors joined.
func (s *Schedule) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return invoke(ctx, s, payload)
}

func (s *Schedule) handle(ctx context.Context, e *event) (any, error) {
	if err := e.only("Schedule", KindSchedule); err != nil {
		return nil, err
	}
	var errs []error
	for _, task := range s.tasks {
		errs = append(errs, safely(func() error { return task(ctx) }))
	}
	return nil, errors.Join(errs...)
}
