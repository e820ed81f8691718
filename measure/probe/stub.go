package probe

import "context"

func (c *HTTP) Probe(ctx context.Context) Answer { return Answer{} }
func (c *TCP) Probe(ctx context.Context) Answer  { return Answer{} }
func (c *DNS) Probe(ctx context.Context) Answer  { return Answer{} }
func (c *File) Probe(ctx context.Context) Answer { return Answer{} }
func (c *Run) Probe(ctx context.Context) Answer  { return Answer{} }
