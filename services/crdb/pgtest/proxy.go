package pgtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Fault is what a Proxy does when it meets the text that it waits for.
type Fault int

// Faults. In all but Answer the client loses its connection.
const (
	Unsent Fault = iota + 1 // the statement never reaches the server
	Sent                    // it does, and is answered, but the answer is lost
	Held                    // it stays with the proxy until the client gives up
	Answer                  // it is rolled back instead, and the client told 40003
)

// Proxy stands between a client and a database and breaks connections at a
// chosen statement.
type Proxy struct {
	URL string // of the proxy, otherwise as that of the database

	server   string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	text  string
	fault Fault
	often int // one in; 0 = once
	luck  *rand.Rand
	met   int
	open  map[net.Conn]bool
	held  chan struct{} // closed when a statement is held
}

// NewProxy starts a proxy for the database of a URL with sslmode=disable. It
// ends with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{server: u.Host, open: map[net.Conn]bool{}}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = p.listener.Addr().String()
	p.URL = u.String()
	p.running.Go(p.accept)
	t.Cleanup(func() {
		err := p.listener.Close()
		p.mu.Lock()
		for c := range p.open {
			err = errors.Join(err, ignoreClosed(c.Close()))
		}
		p.mu.Unlock()
		p.running.Wait()
		if err != nil {
			t.Error(err)
		}
	})
	return p
}

// Once lets the fault happen at the next simple query that begins with text,
// in any case of letters.
func (p *Proxy) Once(text string, f Fault) { p.arm(text, f, 0) }

// Often lets the fault happen at such queries by chance, one in n: what is
// repeated after it meets it at another place.
func (p *Proxy) Often(n int, text string, f Fault) { p.arm(text, f, n) }

func (p *Proxy) arm(text string, f Fault, often int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.fault, p.often, p.luck, p.held = strings.ToLower(text), f, often, rand.New(rand.NewPCG(1, 2)), make(chan struct{})
}

// Met counts the faults that happened.
func (p *Proxy) Met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}

// Holding is closed when a statement is Held.
func (p *Proxy) Holding() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// meets tells what is to happen to a message.
func (p *Proxy) meets(message []byte) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == 0 || message[0] != 'Q' || !strings.HasPrefix(strings.ToLower(string(message[5:])), p.text) {
		return 0
	}
	if p.often > 0 && p.luck.IntN(p.often) > 0 {
		return 0
	}
	f := p.fault
	if p.often == 0 {
		p.fault = 0
	}
	p.met++
	if f == Held && p.often == 0 {
		close(p.held)
	}
	return f
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = true, true
		p.mu.Unlock()
		p.running.Go(func() { p.serve(client, server) })
	}
}

// serve relays one connection until either side ends it.
func (p *Proxy) serve(client, server net.Conn) {
	next := make(chan Fault, 1) // what is to happen to the next answer
	var once sync.Once
	closeBoth := func() { once.Do(func() { client.Close(); server.Close() }) }
	defer func() {
		closeBoth()
		p.mu.Lock()
		delete(p.open, client)
		delete(p.open, server)
		p.mu.Unlock()
	}()
	p.running.Go(func() {
		defer closeBoth()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			answer := buf[:n]
			select {
			case f := <-next:
				if f == Sent {
					return
				}
				answer = unknownResult()
			default:
			}
			if _, werr := client.Write(answer); err != nil || werr != nil {
				return
			}
		}
	})
	if err := p.relay(client, server, next); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		closeBoth()
	}
}

// relay passes on what the client sends, message by message.
func (p *Proxy) relay(client, server net.Conn, next chan<- Fault) error {
	for first := true; ; first = false {
		message, err := read(client, first)
		if err != nil {
			return err
		}
		fault := Fault(0)
		if !first {
			fault = p.meets(message)
		}
		switch fault {
		case Unsent:
			return io.EOF
		case Held:
			_, err := read(client, false) // until it gives up
			return err
		case Answer:
			next <- Answer
			message = []byte("Q\x00\x00\x00\x0drollback\x00")
		case Sent:
			next <- Sent
		}
		if _, err := server.Write(message); err != nil {
			return err
		}
		if fault == Sent {
			_, err := io.Copy(io.Discard, client)
			return errors.Join(err, io.EOF)
		}
	}
}

// read reads one message of the client: a type, which the first one lacks, and
// a length that counts itself.
func read(from io.Reader, first bool) ([]byte, error) {
	head := make([]byte, 5)
	if first {
		head = head[1:]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[len(head)-4:])
	if n < 4 || n > 1<<30 {
		return nil, fmt.Errorf("message of %d bytes", n)
	}
	body := make([]byte, n-4)
	_, err := io.ReadFull(from, body)
	return append(head, body...), err
}

// unknownResult is the answer of a CockroachDB that does not know whether a
// commit took place, and the readiness behind it.
func unknownResult() []byte {
	body := "SERROR\x00VERROR\x00C40003\x00Mresult is ambiguous\x00\x00"
	out := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(body)))
	return append(append(out, body...), 'Z', 0, 0, 0, 5, 'I')
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
