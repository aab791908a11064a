package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/assenso/assenso/services/crdb/pgtest"
)

// together is how many numbers one command or statement names.
const together = 1000

// listInRedis tests the membership of the numbers in a set of all contacts: on
// all cores, each with its own connection and a pipeline of commands of 1000 numbers.
// The server is that of Debian's package, without persistence, installed first
// where it is missing.
func listInRedis(ctx context.Context, s settings, contacts int, list []string) (_ float64, err error) {
	address, stop, err := startRedis(ctx, s)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	client := redis.NewClient(&redis.Options{Addr: address, ReadTimeout: time.Minute, WriteTimeout: time.Minute, Protocol: 2})
	defer func() { err = errors.Join(err, client.Close()) }()
	begin := time.Now()
	err = sideBySide(contacts, 100*together, func() func(from, to int) error {
		return func(from, to int) error {
			pipe := client.Pipeline()
			for at := from; at < to; at += together {
				members := make([]any, 0, together)
				for i := at; i < min(at+together, to); i++ {
					members = append(members, populationPhone(i).E164())
				}
				pipe.SAdd(ctx, "numbers", members...)
			}
			_, err := pipe.Exec(ctx)
			return err
		}
	})
	if err != nil {
		return 0, err
	}
	used, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	s.figure("Redis loaded", float64(contacts)/time.Since(begin).Seconds(), "members/s")
	for line := range strings.Lines(used) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			var bytes float64
			if _, err := fmt.Sscan(n, &bytes); err == nil {
				s.figure("Redis memory", bytes/float64(contacts), "bytes/member")
			}
		}
	}
	best := 0.0
	for _, depth := range []int{1, 10} {
		rate, cpu, err := membersInRedis(ctx, s, client, list, depth)
		if err != nil {
			return 0, err
		}
		s.figure(fmt.Sprintf("  SMISMEMBER of %d, %d commands a pipeline", together, depth), rate, "numbers/s")
		s.figure("  of that, CPU time of server and client", float64(cpu.Nanoseconds()), "ns/number")
		best = max(best, rate)
	}
	return best, nil
}

// membersInRedis tests the list, with so many commands of 1000 numbers in each
// pipeline. cpu is that of server and client together, for a number.
func membersInRedis(ctx context.Context, s settings, client *redis.Client, list []string, depth int) (rate float64, cpu time.Duration, err error) {
	before, err := redisCPU(ctx, client)
	if err != nil {
		return 0, 0, err
	}
	passes := 0
	rate, cpu, err = repeatedly(ctx, s, len(list), func() error {
		passes++
		return sideBySide(len(list), depth*together, func() func(from, to int) error {
			members := make([]any, 0, depth*together)
			return func(from, to int) error {
				pipe := client.Pipeline()
				members = members[:0]
				for _, n := range list[from:to] {
					members = append(members, n)
				}
				commands := make([]*redis.BoolSliceCmd, 0, depth)
				for at := 0; at < len(members); at += together {
					commands = append(commands, pipe.SMIsMember(ctx, "numbers", members[at:min(at+together, len(members))]...))
				}
				if _, err := pipe.Exec(ctx); err != nil {
					return err
				}
				n := 0
				for _, c := range commands {
					n += len(c.Val())
				}
				if n != to-from {
					return fmt.Errorf("%d answers for %d numbers", n, to-from)
				}
				return nil
			}
		})
	})
	if err != nil {
		return 0, 0, err
	}
	after, err := redisCPU(ctx, client)
	return rate, cpu + (after-before)/time.Duration(passes*len(list)), err
}

// redisCPU is the CPU time that the server has used.
func redisCPU(ctx context.Context, client *redis.Client) (time.Duration, error) {
	info, err := client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	var used float64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "used_cpu_user" && name != "used_cpu_sys" {
			continue
		}
		var seconds float64
		if _, err := fmt.Sscan(value, &seconds); err != nil {
			return 0, fmt.Errorf("read the CPU time of Redis: %w", err)
		}
		used += seconds
	}
	return time.Duration(used * float64(time.Second)), nil
}

// startRedis starts a server on a free port of loopback in a folder of its own.
func startRedis(ctx context.Context, s settings) (address string, stop func() error, err error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		fmt.Fprintln(s.out, "installing redis-server from Debian")
		if out, err := exec.CommandContext(ctx, "apt-get", "install", "-y", "redis-server").CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("%w: install redis-server: %w: %s", errNotThere, err, lastLine(out))
		}
		if binary, err = exec.LookPath("redis-server"); err != nil {
			return "", nil, fmt.Errorf("%w: %w", errNotThere, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // to find a free port
	if err != nil {
		return "", nil, err
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		return "", nil, err
	}
	folder := filepath.Join(s.dir, "redis")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", nil, err
	}
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command(binary, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", folder, "--logfile", filepath.Join(folder, "log"))
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("%w: %w", errNotThere, err)
	}
	stop = func() error {
		err := cmd.Process.Signal(os.Interrupt)
		if waited := cmd.Wait(); waited != nil && err == nil {
			var exited *exec.ExitError
			if !errors.As(waited, &exited) {
				err = waited
			}
		}
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: address, Protocol: 2})
	defer func() { err = errors.Join(err, client.Close()) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = client.Ping(ctx).Err(); err == nil {
			return address, stop, nil
		}
		if time.Now().After(end) {
			return "", nil, errors.Join(err, stop())
		}
	}
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// listInPostgres tests the membership of the numbers in a table of all contacts
// with the number as its primary key: = ANY of 1000, on all cores, each with its
// own connection.
func listInPostgres(ctx context.Context, s settings, contacts int, list []string) (_ float64, err error) {
	url := os.Getenv(pgtest.PostgresURL)
	if url == "" {
		var stop func() error
		if url, stop, err = pgtest.Launch(filepath.Dir(s.dir)); errors.Is(err, pgtest.ErrNone) {
			return 0, fmt.Errorf("%w: %w", errNotThere, err)
		} else if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	for _, text := range []string{"DROP TABLE IF EXISTS bench_numbers", "CREATE UNLOGGED TABLE bench_numbers (number text NOT NULL)"} {
		if _, err := pool.Exec(ctx, text); err != nil {
			return 0, err
		}
	}
	begin, i := time.Now(), 0
	_, err = pool.CopyFrom(ctx, pgx.Identifier{"bench_numbers"}, []string{"number"}, pgx.CopyFromFunc(func() ([]any, error) {
		if i++; i > contacts {
			return nil, nil
		}
		return []any{populationPhone(i - 1).E164()}, nil
	}))
	if err != nil {
		return 0, err
	}
	for _, text := range []string{"ALTER TABLE bench_numbers ADD PRIMARY KEY (number)", "VACUUM ANALYZE bench_numbers"} {
		if _, err := pool.Exec(ctx, text); err != nil {
			return 0, err
		}
	}
	s.figure("PostgreSQL loaded", float64(contacts)/time.Since(begin).Seconds(), "rows/s")
	pass := func() error {
		return sideBySide(len(list), together, func() func(from, to int) error {
			return func(from, to int) error {
				rows, err := pool.Query(ctx, "SELECT number FROM bench_numbers WHERE number = ANY($1)", list[from:to])
				if err != nil {
					return err
				}
				found, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err == nil && len(found) > to-from {
					err = fmt.Errorf("%d rows for %d numbers", len(found), to-from)
				}
				return err
			}
		})
	}
	if err := pass(); err != nil { // what the disk holds is in memory then
		return 0, err
	}
	rate, _, err := repeatedly(ctx, s, len(list), pass)
	return rate, err
}
