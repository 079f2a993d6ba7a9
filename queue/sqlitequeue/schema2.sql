-- Lists by state: what waits for its first attempt is told from what waits for
-- another, and the results of a lane from each other. The class is as classes.go
-- has it.
DROP INDEX live;
DROP INDEX listed;
CREATE INDEX live   ON message ((CASE WHEN status < 3 THEN attempts > 0 WHEN status < 8 THEN (status > 3) * status ELSE 5 END), seq) WHERE status < 4;
CREATE INDEX listed ON message (lane, (CASE WHEN status < 3 THEN attempts > 0 WHEN status < 8 THEN (status > 3) * status ELSE 5 END), seq)
