package shape

// Lost is closed when the engine has stopped by itself, for example because the kernel took its queue away. What netem
// does needs nobody.
func (t *target) Lost() <-chan struct{} {
	if q, ok := t.hand.(*queue); ok && q.engine != nil {
		return q.engine.ended
	}
	return nil
}
