import { Component, type ErrorInfo, type ReactNode } from "react";
import { ErrorState } from "@/shared/ui";

/** Keeps one broken page from taking the console with it. */
export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  componentDidCatch(error: unknown, info: ErrorInfo) {
    console.error(error, info.componentStack);
  }

  render() {
    if (this.state.error)
      return (
        <main className="page" id="main">
          <ErrorState error={this.state.error} retry={() => this.setState({ error: null })} />
        </main>
      );
    return this.props.children;
  }
}
