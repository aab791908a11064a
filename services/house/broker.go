package house

// BrokerAddress returns where other processes reach the broker,
// "nats://127.0.0.1:4222"; "" where the embedded broker listens for none
// (nats.listen).
func (h *House) BrokerAddress() string {
	switch {
	case h.broker == nil:
		return h.cfg.NATS.URL
	case h.cfg.NATS.Listen == "":
		return ""
	}
	return h.broker.URL()
}
