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

// redisSet loads a set of all contacts and tests the membership of the numbers:
// commands of 1000 numbers on all cores, one or ten in a pipeline. The server
// is that of Debian's package, without persistence, installed first where it is
// missing.
func redisSet(ctx context.Context, s settings, contacts int, list []string) (_ []*contender, stop func() error, err error) {
	address, end, err := startRedis(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: address, ReadTimeout: time.Minute, WriteTimeout: time.Minute, Protocol: 2})
	stop = func() error { return errors.Join(client.Close(), end()) }
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
		return nil, nil, errors.Join(err, stop())
	}
	s.figure("Redis loaded", float64(contacts)/time.Since(begin).Seconds(), "members/s")
	used, err := redisInfo(ctx, client, "memory", "used_memory")
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	s.figure("Redis memory", used/float64(contacts), "bytes/member")
	cpu := func() (time.Duration, error) {
		used, err := redisInfo(ctx, client, "cpu", "used_cpu_user", "used_cpu_sys")
		return cpuTime() + time.Duration(used*float64(time.Second)), err
	}
	var out []*contender
	for _, depth := range []int{1, 10} {
		out = append(out, &contender{name: fmt.Sprintf("Redis SMISMEMBER of %d, %d in a pipeline", together, depth),
			pass: func() error { return membersOf(ctx, client, list, depth) }, cpu: cpu})
	}
	return out, stop, nil
}

// membersOf tests the list, with so many commands in each pipeline.
func membersOf(ctx context.Context, client *redis.Client, list []string, depth int) error {
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
}

// redisInfo adds up figures that the server tells of itself.
func redisInfo(ctx context.Context, client *redis.Client, section string, names ...string) (sum float64, err error) {
	info, err := client.Info(ctx, section).Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		for _, name := range names {
			text, ok := strings.CutPrefix(strings.TrimSpace(line), name+":")
			if !ok {
				continue
			}
			var value float64
			if _, err := fmt.Sscan(text, &value); err != nil {
				return 0, fmt.Errorf("read what Redis says of %s: %w", name, err)
			}
			sum += value
		}
	}
	return sum, nil
}

// startRedis starts a server on a free port of loopback in a folder of its own.
func startRedis(ctx context.Context, s settings) (address string, stop func() error, err error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		fmt.Fprintln(s.out, "installing redis-server from Debian")
		if out, err := exec.CommandContext(ctx, "apt-get", "install", "-y", "redis-server").CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("redis: %w: install redis-server: %w: %s", errNotThere, err, lastLine(out))
		}
		if binary, err = exec.LookPath("redis-server"); err != nil {
			return "", nil, fmt.Errorf("redis: %w: %w", errNotThere, err)
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
		return "", nil, fmt.Errorf("redis: %w: %w", errNotThere, err)
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

// postgresTable loads a table of all contacts with the number as its primary key
// and tests the membership of the numbers: = ANY of 1000 on all cores, each with
// its own connection.
func postgresTable(ctx context.Context, s settings, contacts int, list []string) (_ []*contender, stop func() error, err error) {
	end := func() error { return nil }
	url := os.Getenv(pgtest.PostgresURL)
	if url == "" {
		if url, end, err = pgtest.Launch(filepath.Dir(s.dir)); errors.Is(err, pgtest.ErrNone) {
			return nil, nil, fmt.Errorf("postgres: %w: %w", errNotThere, err)
		} else if err != nil {
			return nil, nil, err
		}
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	stop = func() error {
		pool.Close()
		return end()
	}
	begin := time.Now()
	if err := fillTable(ctx, pool, contacts); err != nil {
		return nil, nil, errors.Join(err, stop())
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
				if err == nil && (len(found) == 0 || len(found) > to-from) {
					err = fmt.Errorf("%d rows for %d numbers", len(found), to-from)
				}
				return err
			}
		})
	}
	return []*contender{{name: fmt.Sprintf("PostgreSQL = ANY of %d", together), pass: pass}}, stop, nil
}

func fillTable(ctx context.Context, pool *pgxpool.Pool, contacts int) error {
	for _, text := range []string{"DROP TABLE IF EXISTS bench_numbers", "CREATE UNLOGGED TABLE bench_numbers (number text NOT NULL)"} {
		if _, err := pool.Exec(ctx, text); err != nil {
			return err
		}
	}
	i := 0
	_, err := pool.CopyFrom(ctx, pgx.Identifier{"bench_numbers"}, []string{"number"}, pgx.CopyFromFunc(func() ([]any, error) {
		if i++; i > contacts {
			return nil, nil
		}
		return []any{populationPhone(i - 1).E164()}, nil
	}))
	if err != nil {
		return err
	}
	for _, text := range []string{"ALTER TABLE bench_numbers ADD PRIMARY KEY (number)", "VACUUM ANALYZE bench_numbers"} {
		if _, err := pool.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
