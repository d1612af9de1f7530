// SPDX-License-Identifier: MIT
// What QtDBus cannot guess from the XML: qdbusxml2cpp -i pubkeep-qt.h ...
// Register once: qDBusRegisterMetaType<PubkeepItem>(); qDBusRegisterMetaType<PubkeepItems>();
// qDBusRegisterMetaType<PubkeepChange>(); qDBusRegisterMetaType<PubkeepChanges>();
// qDBusRegisterMetaType<PubkeepMaps>(); qDBusRegisterMetaType<PubkeepStrings>();
#pragma once

#include <QDBusArgument>
#include <QList>
#include <QMap>
#include <QString>
#include <QVariantMap>

struct PubkeepItem {
    QString uri, account, service, node, id, type, title;
    qlonglong published = 0, updated = 0; // microseconds since the Unix epoch, 0 = unknown
    QString publisher, xml, json;
    QVariantMap extra;
};
Q_DECLARE_METATYPE(PubkeepItem)
using PubkeepItems = QList<PubkeepItem>;
Q_DECLARE_METATYPE(PubkeepItems)
struct PubkeepChange {
    qulonglong sequence = 0;
    QString kind, account, service, node, id; // an empty id: the node itself
    QVariantMap extra;
};
Q_DECLARE_METATYPE(PubkeepChange)
using PubkeepChanges = QList<PubkeepChange>;
Q_DECLARE_METATYPE(PubkeepChanges)
using PubkeepMaps = QList<QVariantMap>;
Q_DECLARE_METATYPE(PubkeepMaps)
using PubkeepStrings = QMap<QString, QString>;
Q_DECLARE_METATYPE(PubkeepStrings)

inline QDBusArgument &operator<<(QDBusArgument &out, const PubkeepItem &i)
{
    out.beginStructure();
    out << i.uri << i.account << i.service << i.node << i.id << i.type << i.title << i.published << i.updated
        << i.publisher << i.xml << i.json << i.extra;
    out.endStructure();
    return out;
}

inline const QDBusArgument &operator>>(const QDBusArgument &in, PubkeepItem &i)
{
    in.beginStructure();
    in >> i.uri >> i.account >> i.service >> i.node >> i.id >> i.type >> i.title >> i.published >> i.updated
        >> i.publisher >> i.xml >> i.json >> i.extra;
    in.endStructure();
    return in;
}

inline QDBusArgument &operator<<(QDBusArgument &out, const PubkeepChange &c)
{
    out.beginStructure();
    out << c.sequence << c.kind << c.account << c.service << c.node << c.id << c.extra;
    out.endStructure();
    return out;
}

inline const QDBusArgument &operator>>(const QDBusArgument &in, PubkeepChange &c)
{
    in.beginStructure();
    in >> c.sequence >> c.kind >> c.account >> c.service >> c.node >> c.id >> c.extra;
    in.endStructure();
    return in;
}
