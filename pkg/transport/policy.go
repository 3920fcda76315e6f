package transport

import (
	"bytes"
	"fmt"
	"time"
)

// Policy is what a policy server is asked and answers (wire.md 10).
type Policy struct{ request, answer []byte }

const (
	policyRequest    = "<policy-file-request/>"
	policyRequestMax = 64
	policyTimeout    = 5 * time.Second
	// policyPeers bounds the connections at once, all and from one address.
	policyPeers, policyPeersPerAddress = 1000, 50
)

// FlashPolicy lets Flash clients of any site connect to ports, for example
// "4530-4533,9090". Request and answer end with a zero byte.
func FlashPolicy(ports string) Policy {
	return Policy{
		request: []byte(policyRequest + "\x00"),
		answer: fmt.Appendf(nil, `<?xml version="1.0"?><cross-domain-policy><allow-access-from domain="*" to-ports="%s"/></cross-domain-policy>`+
			"\x00", ports),
	}
}

// SilverlightPolicy lets Silverlight clients of any site connect to the ports
// that Silverlight can reach at all.
func SilverlightPolicy() Policy {
	return Policy{
		request: []byte(policyRequest),
		answer: []byte(`<?xml version="1.0" encoding="utf-8"?><access-policy><cross-domain-access><policy>` +
			`<allow-from><domain uri="*"/></allow-from>` +
			`<grant-to><socket-resource port="4502-4534" protocol="tcp"/></grant-to>` +
			`</policy></cross-domain-access></access-policy>`),
	}
}

// PolicyListener serves one policy.
type PolicyListener struct{ *streamListener }

// ListenPolicy answers p on addr until Shutdown. A client has five seconds and 64
// bytes to ask.
func ListenPolicy(addr string, p Policy) (*PolicyListener, error) {
	l, err := listenStream(addr, policyConfig(), TCP, p.serve)
	if err != nil {
		return nil, err
	}
	return &PolicyListener{l}, nil
}

func policyConfig() StreamConfig {
	return StreamConfig{
		Limits:   Limits{InitTimeout: policyTimeout, MaxPeers: policyPeers, MaxPeersPerAddress: policyPeersPerAddress},
		Acceptor: noSessions{}, Clock: func() uint32 { return 0 },
	}
}

// noSessions is the Acceptor of listeners that only answer.
type noSessions struct{}

func (noSessions) Accept(Session) Receiver { return nil }

func (p Policy) serve(s *streamSession) {
	for s.readMore() {
		b := s.in.data()
		switch {
		case bytes.HasPrefix(b, p.request) && len(b) <= policyRequestMax:
			if _, err := s.conn.Write(p.answer); err != nil {
				s.readFailed(err)
				return
			}
			s.Close(ReasonServerDisconnect)
			return
		case !bytes.HasPrefix(p.request, b):
			s.malformed()
			return
		}
	}
}
