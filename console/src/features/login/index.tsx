import { GlobalOutlined } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Form, Input } from "antd";
import { useTranslation } from "react-i18next";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import { language, switchLanguage } from "@/app/i18n";
import { Wheel } from "@/features/login/Wheel";
import { ApiError, post, setCsrf } from "@/shared/api";
import { useSessionQuery, type Session } from "@/shared/session";
import { sentenceOf } from "@/shared/ui";
import "./login.css";

interface Fields {
  username: string;
  password: string;
}

const STEPS = ["collect", "resolve", "profile", "select", "decide", "reach", "measure"] as const;

export default function Login() {
  const { t } = useTranslation("login");
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [params] = useSearchParams();
  const [form] = Form.useForm<Fields>();
  const session = useSessionQuery();
  const hint = session.error instanceof ApiError ? (session.error.body["demo_login"] as Fields | undefined) : undefined;
  const asked = params.get("next") ?? "/";
  const next = asked.startsWith("/") && !asked.startsWith("//") ? asked : "/";
  const signIn = useMutation({
    mutationFn: (fields: Fields) => post<Session>("/session", fields),
    onSuccess: (opened) => {
      setCsrf(opened.csrf);
      queries.setQueryData(["session"], opened);
      void navigate(next, { replace: true });
    },
  });
  if (session.isSuccess) return <Navigate to={next} replace />;
  return (
    <div className="login">
      <section className="login-pitch">
        <p className="login-logo">
          <img src="/favicon.svg" alt="" width={36} height={36} />
          <span>{t("shell:product")}</span>
        </p>
        <Wheel label={t("wheel")} steps={STEPS.map((step) => t(`steps.${step}`))} centre={t("centre")} />
        <div className="login-words">
          <h1>{t("title")}</h1>
          <p>{t("pitch")}</p>
        </div>
      </section>
      <main className="login-side">
        <Button type="text" className="login-language" icon={<GlobalOutlined />} onClick={() => void switchLanguage(language() === "en" ? "zh" : "en")}>
          {language() === "en" ? "中文" : "English"}
        </Button>
        <div className="login-form">
          <h2>{t("welcome")}</h2>
          <p className="login-note">{t("welcomeNote")}</p>
          {signIn.isError ? <Alert type="error" showIcon title={sentenceOf(signIn.error, t("failed"))} role="alert" /> : null}
          {hint ? (
            <Alert
              type="info"
              showIcon
              title={t("demo", { ...hint })}
              action={
                <Button size="small" data-testid="demo-fill" onClick={() => form.setFieldsValue(hint)}>
                  {t("fill")}
                </Button>
              }
            />
          ) : null}
          <Form form={form} layout="vertical" size="large" requiredMark={false} onFinish={(fields: Fields) => signIn.mutate(fields)}>
            <Form.Item name="username" label={t("username")} rules={[{ required: true, message: t("needed") }]}>
              <Input autoComplete="username" autoFocus data-testid="username" />
            </Form.Item>
            <Form.Item name="password" label={t("password")} rules={[{ required: true, message: t("needed") }]}>
              <Input.Password autoComplete="current-password" data-testid="password" />
            </Form.Item>
            <Button type="primary" htmlType="submit" block loading={signIn.isPending} data-testid="sign-in">
              {t("signIn")}
            </Button>
          </Form>
        </div>
      </main>
    </div>
  );
}
