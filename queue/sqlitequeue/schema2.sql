-- Lists by state: what waits for its first attempt is told from what waits for
-- another, and the results of a lane from each other. The class is as classes.go
-- has it.
DROP INDEX live;
DROP INDEX listed;
CREATE INDEX live   ON message ((CASE WHEN status NOT BETWEEN 0 AND 7 THEN 5 WHEN status > 3 THEN status WHEN attempts > 0 AND status < 3 THEN 1 ELSE 0 END), seq) WHERE status < 4;
CREATE INDEX listed ON message (lane, (CASE WHEN status NOT BETWEEN 0 AND 7 THEN 5 WHEN status > 3 THEN status WHEN attempts > 0 AND status < 3 THEN 1 ELSE 0 END), seq)
