#include "ergo/experiment/recording.hpp"

namespace ergo {

void RecordingEvents::on_window(const MarkedWindow& window) {
  next_.on_window(window);
  if (writer_ == nullptr) return;
  WindowRecord record;
  record.name = window.name;
  record.index = window.index;
  record.pid = window.pid;
  record.start = window.begin - begin_;
  record.duration = window.end - window.begin;
  record.count = window.count;
  writer_->append_window(std::move(record));
}

void RecordingEvents::on_sample(const Timeline& timeline, SignalId id, const Sample& sample) {
  next_.on_sample(timeline, id, sample);
  if (writer_ != nullptr) writer_->append(timeline.info(id), sample);
}

}  // namespace ergo
