// What was imported: each job with its books, and the rows it refused, to look at and to download.
import { DownloadOutlined } from "@ant-design/icons";
import { Button, Drawer, Progress } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useBadRows, useJobs, type Job } from "@/features/imports/api";
import { BadTable, Counts } from "@/features/imports/preview";
import { download, say } from "@/shared/api";
import { ago, integer } from "@/shared/format";
import { Pill, type Tone } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, Loaded } from "@/shared/ui";

const TONES: Record<Job["status"], Tone> = { queued: "calm", running: "info", done: "good", failed: "bad", cancelled: "warn" };

export function Jobs() {
  const { t } = useTranslation("imports");
  const { brand, may } = useSession();
  const query = useJobs(brand.brand);
  const named = useSourceName();
  const [open, setOpen] = useState<Job | null>(null);
  return (
    <Loaded query={query} rows={5}>
      {(page) => page.items.length ? (
        <Card>
          <Table
            rowKey="job_id"
            label={t("jobs")}
            dataSource={page.items}
            columns={[
              { title: t("what"), dataIndex: "title", render: (title: string, row) => <><strong>{title}</strong><br /><small className="faint">{named(row.source)}</small></> },
              { title: t("status"), dataIndex: "status", render: (status: Job["status"], row) => <div><Pill tone={TONES[status]} dot>{t(`statuses.${status}`)}</Pill>{row.problem ? <><br /><small className="warn">{say(row.problem)}</small></> : null}</div> },
              { title: t("counts.rows"), dataIndex: "rows", align: "right", render: integer },
              { title: t("counts.fresh"), dataIndex: "fresh", align: "right", render: integer },
              { title: t("counts.corrected"), dataIndex: "corrected", align: "right", render: integer },
              { title: t("counts.unchanged"), dataIndex: "unchanged", align: "right", render: integer },
              { title: t("counts.bad"), dataIndex: "bad", align: "right", render: (bad: number) => <span className={bad ? "warn" : ""}>{integer(bad)}</span> },
              { title: t("by"), dataIndex: "made_by", render: (by: string, row) => <>{by}<br /><small className="faint">{ago(row.made_at)}</small></> },
              { title: "", key: "open", render: (_: unknown, row) => <Button size="small" onClick={() => setOpen(row)}>{t("open")}</Button> },
            ]}
          />
          <Drawer open={open !== null} size={760} title={open?.title} onClose={() => setOpen(null)}>
            {open ? <><JobBooks job={page.items.find((job) => job.job_id === open.job_id) ?? open} />{open.bad ? <BadRows job={open} as="h2" /> : null}</> : null}
          </Drawer>
        </Card>
      ) : <Empty title={t("noJobs")} hint={may("sources.write") ? t("noJobsHint") : undefined} />}
    </Loaded>
  );
}

/** How far a job is, and its books: rows = in events + refused + left out + repeated; events = new + corrected + as before. */
export function JobBooks({ job }: { job: Job }) {
  const { t } = useTranslation("imports");
  const share = job.events ? Math.round((100 * job.done) / job.events) : job.status === "done" ? 100 : 0;
  return (
    <div data-testid="job-books" data-status={job.status}>
      <p><Pill tone={TONES[job.status]} dot>{t(`statuses.${job.status}`)}</Pill> {job.problem ? <span className="warn">{say(job.problem)}</span> : null}</p>
      <Progress aria-label={job.title} percent={share} status={job.status === "failed" ? "exception" : job.status === "running" ? "active" : "normal"} />
      <Counts counts={[["rows", job.rows], ["fresh", job.fresh], ["corrected", job.corrected], ["unchanged", job.unchanged], ["bad", job.bad], ["skipped", job.skipped], ["repeated", job.repeated], ["masked", job.masked]]} />
    </div>
  );
}

/** `as`: what comes after the heading above it. */
export function BadRows({ job, as: Heading = "h3" }: { job: Job; as?: "h2" | "h3" }) {
  const { t } = useTranslation("imports");
  const { may } = useSession();
  const query = useBadRows(job.job_id, job.bad);
  return (
    <section>
      <div className="row">
        <Heading>{t("refusedRows")}</Heading>
        {may("sources.write") ? <Button icon={<DownloadOutlined />} onClick={() => download(`/imports/${job.job_id}/errors.csv`)}>{t("download")}</Button> : null}
      </div>
      {may("sources.write") ? <p className="faint">{t("mend")}</p> : null}
      <Loaded query={query} rows={3}>{(page) => <BadTable rows={page.items} />}</Loaded>
    </section>
  );
}
